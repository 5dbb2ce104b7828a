#include "adapters/dialects/gemini.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

namespace switchyard {

namespace google {

namespace {

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
    return google::make_scanner(options);
  }

  using Dialect::scan_reply;

  Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) const override {
    return google::scan_reply(body, capacity, tap);
  }
};

}  // namespace

}  // namespace google

const Dialect& gemini() {
  static const google::Gemini dialect;
  return dialect;
}

}  // namespace switchyard
