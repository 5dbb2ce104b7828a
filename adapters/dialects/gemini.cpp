#include "adapters/dialects/gemini.h"

#include "adapters/dialects/stream_scanner.h"
#include "adapters/dialects/walk.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>

namespace switchyard {

namespace google {

namespace {

using Element = simdjson::dom::element;

class Scanner final : public FrameScanner {
 public:
  explicit Scanner(bool json_array) : json_array_(json_array) {}

 protected:
  Result<Verdict> inspect(const SseRecord& record) override {
    if (record.data == "[DONE]") return Verdict::drop;  // The SDK takes it for broken JSON.
    const auto parsed = parse_event_json(record.data, record.readable);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return fail(ErrorKind::bad_reply, "the provider's event is no JSON object");
    Element error;
    if (!(*parsed)["error"].get(error)) {
      error_ = to_error(*parsed, 0);
      return Verdict::drop;
    }
    counts_.merge(*parsed);
    if (counts_.seen) usage_ = counts_.total();
    Element feedback;
    if (!(*parsed)["promptFeedback"].get(feedback)) has_end_ |= !string_at(feedback, "blockReason").empty();
    simdjson::dom::array candidates;
    if ((*parsed)["candidates"].get(candidates)) return Verdict::forward;
    for (const Element candidate : candidates) look_at(candidate);
    return Verdict::forward;
  }

  std::string_view missing_terminator() const override { return {}; }

  // A stream that fails goes on with the body of an error, without the form of an event.
  void note_bare(std::string_view frame) override {
    if (error_) return;
    const auto parsed = parse_bare(frame);
    Element error;
    if (parsed && !(*parsed)["error"].get(error)) error_ = to_error(*parsed, 0);
  }

  // A reason to end may come more than once, and usage behind it: the end is the end of the body.
  bool may_end() const override { return has_end_; }

  void hand_on(std::string_view frame, const SseRecord& record,
               std::vector<std::string_view>& forward) override {
    if (!json_array_) return FrameScanner::hand_on(frame, record, forward);
    forward.push_back(has_elements_ ? ",\r\n" : "[");
    forward.push_back(keep(frame, record.data));
    has_elements_ = true;
  }

  void hand_on_end(std::vector<std::string_view>& forward) override {
    if (json_array_) forward.push_back(has_elements_ ? "]" : "[]");
  }

 private:
  void look_at(const Element& candidate) {
    has_end_ |= !string_at(candidate, "finishReason").empty();
    simdjson::dom::array parts;
    if (has_content_ || candidate["content"]["parts"].get(parts)) return;
    for (const Element part : parts) {
      Element text;
      has_content_ |= part["text"].get(text) || !string_at(part, "text").empty();
    }
  }

  TokenCounts counts_;
  bool json_array_, has_elements_ = false, has_end_ = false;
};

Json model_json(const std::string& name) {
  return {{"name", "models/" + name},
          {"displayName", name},
          {"supportedGenerationMethods", Json::array({"generateContent", "countTokens"})}};
}

class Gemini final : public Dialect {
 public:
  std::string_view name() const override { return "gemini"; }

  std::string_view family() const override { return kFamily; }

  Result<ChatRequest> parse_request(std::string_view body) const override {
    return google::parse_request(body);
  }

  Result<WrittenRequest> write_request(const ChatRequest& request,
                                       const TargetTraits& target) const override {
    return google::write_request(request, target);
  }

  std::unique_ptr<EventParser> make_event_parser() const override { return google::make_event_parser(); }

  Result<> parse_reply(std::string_view body, std::vector<Event>& out) const override {
    return google::parse_reply(body, out);
  }

  // A proxy in front of the provider answers with HTML or nothing: the status says enough.
  Error parse_error(int status, std::string_view body) const override {
    const auto parsed = parse_event_json(body);
    return parsed ? to_error(*parsed, status) : to_error(status);
  }

  std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) const override {
    return google::make_event_writer(std::move(context));
  }

  std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) const override {
    return google::write_reply(events, context);
  }

  WrittenError write_error(const Error& error, std::string_view request_id) const override {
    return google::write_error(error, request_id);
  }

  std::string write_error_element(const Error& error, std::string_view request_id,
                                  bool has_elements) const override {
    return google::write_error_element(error, request_id, has_elements);
  }

  std::string write_error_frame(const Error& error, std::string_view request_id) const override {
    return "data: " + google::write_error(error, request_id).body + "\r\n\r\n";
  }

  std::string write_models(const std::vector<std::string>& names, std::int64_t) const override {
    Json models = Json::array();
    for (const std::string& name : names) models.push_back(model_json(name));
    return to_text(Json{{"models", std::move(models)}});
  }

  std::string write_model(const std::string& name, std::int64_t) const override {
    return to_text(model_json(name));
  }

  std::unique_ptr<StreamScanner> make_scanner(ScanOptions options) const override {
    return std::make_unique<Scanner>(options.json_array);
  }

  using Dialect::scan_reply;

  Result<Usage> scan_reply(std::string_view body, std::size_t capacity) const override {
    const auto not_json = [] {
      return fail(ErrorKind::bad_reply, "the provider's answer is not valid JSON");
    };
    OnDemand document;
    simdjson::ondemand::object reply;
    if (document.open(body, capacity, reply)) return not_json();
    TokenCounts counts;
    bool has_answer = false;
    for (auto field : reply) {
      std::string_view name, text;
      if (field.error() || field.unescaped_key().get(name)) return not_json();
      simdjson::ondemand::value value = field.value_unsafe().value();
      simdjson::ondemand::json_type type;
      if (value.type().get(type)) return not_json();
      const bool is_object = type == simdjson::ondemand::json_type::object;
      if (name == "usageMetadata" && is_object) {
        if (walk_text(value, text)) return not_json();
        const auto parsed = parse_event_json("{\"usageMetadata\":" + std::string(text) + "}");
        if (!parsed) return parsed.error();
        counts.merge(*parsed);
        continue;
      }
      has_answer |= name == "candidates" && type == simdjson::ondemand::json_type::array;
      has_answer |= name == "promptFeedback" && is_object;
      if (walk(value, 2)) return not_json();
    }
    if (!document.at_end()) return not_json();
    if (!has_answer) return fail(ErrorKind::bad_reply, "the provider's reply has no candidates");
    return counts.total();
  }
};

}  // namespace

}  // namespace google

const Dialect& gemini() {
  static const google::Gemini dialect;
  return dialect;
}

}  // namespace switchyard
