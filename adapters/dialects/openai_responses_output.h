#pragma once

#include "adapters/dialects/openai_responses.h"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// The output of a response towards a client, made of events: what the stream's writer and the whole reply
// share.
namespace switchyard::responses {

// Follows a JSON object that comes in pieces to its end.
class ObjectEnd {
 public:
  void feed(std::string_view text);

  bool is_reached() const { return begun_ && depth_ <= 0 && !in_string_; }

 private:
  int depth_ = 0;
  bool begun_ = false, in_string_ = false, escaped_ = false;
};

// A part of a message: its text and what belongs to it, or a refusal.
struct ContentPart {
  bool is_refusal = false;
  std::string text;
  std::string logprobs, annotations;  // The members of JSON arrays.
  int annotation_count = 0;
  std::size_t characters = 0;  // Of the text, as an annotation counts.
};

struct OutputItem {
  enum class Kind { message, reasoning, function_call, custom_call } kind = Kind::message;
  std::size_t index = 0;
  std::string id;
  bool is_open = true, is_complete = true;  // Incomplete: the answer was cut off in it.
  std::deque<ContentPart> parts;            // Of a message.
  std::string text;                         // Thoughts, arguments, or a custom tool's input.
  std::string encrypted_content;            // Of a reasoning item.
  std::string call_id, name;                // Of a call.
  ObjectEnd arguments;

  bool is_call() const { return kind == Kind::function_call || kind == Kind::custom_call; }
};

// Hears of each change of the output, in the order in which a client is to hear of it.
class OutputListener {
 public:
  virtual ~OutputListener() = default;
  virtual void item_added(const OutputItem& item) = 0;
  virtual void part_added(
      const OutputItem& item) = 0;  // The last of its parts, or the only one of a thought.
  // `text`: what the item's last part, thoughts or arguments grew by.
  virtual void delta(const OutputItem& item, std::string_view text, std::string_view logprobs) = 0;
  virtual void annotated(const OutputItem& item, std::string_view annotation) = 0;
  virtual void part_done(const OutputItem& item) = 0;
  virtual void item_done(const OutputItem& item) = 0;
};

// Builds the output. Items stay open as long as something may be added to them: a message or a thought until
// the next item, a call until its arguments are whole and another item has begun, so that calls whose
// arguments interleave are written as they come.
class Output {
 public:
  // `listener` may be null.
  Output(const ReplyContext& context, OutputListener* listener);

  void take(const Event& event);
  // No more events come.
  void end();

  const std::deque<OutputItem>& items() const { return items_; }

  const Usage& usage() const { return usage_; }

  FinishReason reason() const { return reason_; }

 private:
  void on(const ReplyStart&) {}

  void on(const TextDelta& event);
  void on(const RefusalDelta& event);
  void on(const ThinkingDelta& event);
  void on(const ThinkingSignature& event);
  void on(const RedactedThinking& event);
  void on(const ToolCallStart& event);
  void on(const ToolCallDelta& event);

  void on(const Usage& event) { usage_ = event; }

  void on(const Finish& event) { reason_ = event.reason; }

  void on(const ReplyFailed&) {}

  OutputItem& push(OutputItem::Kind kind);
  OutputItem* open_last(OutputItem::Kind kind);
  ContentPart& open_part(bool is_refusal);
  void seal(std::string encrypted_content);
  void close(OutputItem& item);

  const ReplyContext& context_;
  OutputListener* listener_;
  std::string id_;  // Of the request, in the alphabet of ids.
  std::deque<OutputItem> items_;
  std::vector<OutputItem*> whole_;  // Open calls whose arguments are whole.
  std::map<int, OutputItem*> calls_;
  std::set<std::string> call_ids_;
  Usage usage_;
  FinishReason reason_ = FinishReason::stop;
};

// The id of the response to a request.
std::string response_id(std::string_view request_id);

// The item as a JSON object: without its content when it has just been added.
void append_item(const OutputItem& item, bool is_added, std::string& out);
void append_part(const ContentPart& part, std::string& out);

// What of a response object is not its output.
struct ResponseState {
  std::string_view status = "in_progress";  // in_progress, completed, incomplete, failed.
  std::string_view reason;                  // Why it is incomplete.
  std::string error;                        // The JSON of `error`; empty: null.
  const Usage* usage = nullptr;
};

// `output`: the JSON of its array.
void append_response(const ReplyContext& context, const ResponseState& state, std::string_view output,
                     std::string& out);
// The JSON array of the items.
std::string output_json(const std::deque<OutputItem>& items);
// How a response ended that did not fail.
ResponseState end_state(const Output& output);

}  // namespace switchyard::responses
