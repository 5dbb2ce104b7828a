#include "tests/unit/dialects/openai_responses_rules.h"

#include "adapters/dialects/sse.h"

#include <nlohmann/json.hpp>

#include <set>
#include <vector>

namespace switchyard {

namespace {

using nlohmann::json;

class Reader {
 public:
  std::string read(std::string_view stream) {
    FrameSplitter splitter;
    std::string_view frame, rest = stream;
    std::string scratch;
    while (splitter.next(rest, frame)) {
      const SseRecord record = parse_frame(frame, scratch);
      const json event = json::parse(record.data, nullptr, false);
      if (!event.is_object()) return "an event is no object";
      if (event.value("type", "") != record.event) return "the event's name is not its type";
      if (event.value("sequence_number", -1) != sequence_++)
        return "the sequence number does not grow by one";
      if (is_ended_) return "an event behind the last one";
      if (std::string broken = on(event, std::string(record.event)); !broken.empty())
        return broken + ": " + event.dump();
    }
    return is_ended_ ? "" : "no last event";
  }

 private:
  std::string on(const json& event, const std::string& type) {
    if (event.contains("response")) return on_response(event["response"], type);
    if (!has_begun_) return "the first event is not response.created";
    const std::size_t index = event.value("output_index", std::size_t{9999});
    if (type == "response.output_item.added") return on_added(event["item"], index);
    if (index >= items_.size()) return "missing output at index";
    json& item = items_[index];
    if (done_.contains(index)) return "an event of an item that is done";
    if (type == "response.output_item.done") {
      done_.insert(index);
      return on_done(item, event["item"]);
    }
    if (event.value("item_id", json()) != item["id"]) return "item_id is not the id of the item";
    return on_piece(event, type, item);
  }

  std::string on_response(const json& response, const std::string& type) {
    if (!has_begun_ && type != "response.created") return "the first event is not response.created";
    if (!has_begun_) id_ = response.value("id", "");
    has_begun_ = true;
    if (id_.empty() || response.value("id", "") != id_) return "the response's id changed";
    if (type == "response.created" || type == "response.in_progress") {
      return response["status"] == "in_progress" && response["output"].empty() ? "" : "begins with an output";
    }
    is_ended_ = true;
    if (type != "response." + response.value("status", "")) return "the status is not the event's";
    if (done_.size() != items_.size()) return "unfinished output items";
    if (response["output"] != json(items_)) return "the output is not what the items add up to";
    return response["usage"].is_object() ? "" : "no usage";
  }

  std::string on_added(const json& item, std::size_t index) {
    if (index != items_.size()) return "output_index is not the next";
    const std::string id = item.value("id", ""), call = item.value("call_id", "");
    if (id.empty() || !ids_.insert(id).second) return "the item's id is missing or there already";
    const bool is_call = item["type"] == "function_call" || item["type"] == "custom_tool_call";
    if (is_call && (call.empty() || !ids_.insert("call " + call).second))
      return "call_id is missing or there already";
    items_.push_back(item);
    return {};
  }

  static std::string on_done(json& item, const json& done) {
    for (const char* name : {"id", "type", "call_id", "name"}) {
      if (item.value(name, "") != done.value(name, "")) return std::string(name) + " changed";
    }
    for (const char* name : {"content", "summary", "arguments", "input"}) {
      if (item.value(name, json()) != done.value(name, json()))
        return std::string(name) + " is not what the pieces add up to";
    }
    item = done;
    return {};
  }

  static std::string on_piece(const json& event, const std::string& type, json& item) {
    const bool is_done = type.ends_with(".done");
    if (type.starts_with("response.function_call_arguments"))
      return text(event, "arguments", is_done, "function_call", item, item);
    if (type.starts_with("response.custom_tool_call_input"))
      return text(event, "input", is_done, "custom_tool_call", item, item);
    const bool is_summary = type.starts_with("response.reasoning_summary");
    if (item["type"] != (is_summary ? "reasoning" : "message")) return "the item has another type";
    json& parts = item[is_summary ? "summary" : "content"];
    const std::size_t index = event.value(is_summary ? "summary_index" : "content_index", std::size_t{9999});
    if (type.ends_with("_part.added")) {
      if (index != parts.size()) return "the part's index is not the next";
      parts.push_back(event["part"]);
      return {};
    }
    if (index >= parts.size()) return "missing content at index";
    json& part = parts[index];
    if (type.ends_with("_part.done"))
      return part == event["part"] ? "" : "the part is not what the pieces add up to";
    if (type == "response.output_text.annotation.added") {
      if (event["annotation_index"] != part["annotations"].size()) return "annotation_index is not the next";
      part["annotations"].push_back(event["annotation"]);
      return {};
    }
    if (is_summary) return text(event, "text", is_done, "reasoning", item, part);
    if (type.starts_with("response.refusal."))
      return part["type"] == "refusal" ? text(event, "refusal", is_done, "message", item, part)
                                       : "the part is no refusal";
    if (part["type"] != "output_text") return "the part is no text";
    if (!event["logprobs"].is_array()) return "a text without logprobs";
    if (is_done && event["logprobs"] != part["logprobs"]) return "logprobs are not what the pieces add up to";
    if (!is_done)
      for (const json& one : event["logprobs"]) part["logprobs"].push_back(one);
    return text(event, "text", is_done, "message", item, part);
  }

  // A delta of a text, or the whole text at its end.
  static std::string text(const json& event, const char* name, bool is_done, const char* type,
                          const json& item, json& holder) {
    if (item["type"] != type) return "the item has another type";
    std::string so_far = holder.value(name, "");
    if (!is_done) {
      holder[name] = so_far + event.value("delta", "");
      return {};
    }
    // A call without arguments ends with the empty object, which is no piece.
    if (so_far.empty() && event[name] == "{}") holder[name] = "{}";
    return holder[name] == event[name] ? "" : "the text is not what the pieces add up to";
  }

  std::vector<json> items_;
  std::set<std::size_t> done_;
  std::set<std::string> ids_;
  std::string id_;
  int sequence_ = 0;
  bool has_begun_ = false, is_ended_ = false;
};

}  // namespace

std::string broken_rule(std::string_view stream) {
  return Reader().read(stream);
}

}  // namespace switchyard
