#include "adapters/dialects/cohere_chat.h"

#include "adapters/dialects/json.h"
#include "adapters/dialects/provider_dialect.h"

#include <simdjson.h>

namespace switchyard {

namespace cohere {

namespace {

class CohereChat final : public ProviderDialect {
 public:
  std::string_view name() const override { return "cohere_chat"; }

  std::string_view family() const override { return kFamily; }

  Result<WrittenRequest> write_request(const ChatRequest& request,
                                       const TargetTraits& target) const override {
    return cohere::write_request(request, target);
  }

  std::unique_ptr<EventParser> make_event_parser() const override { return cohere::make_event_parser(); }

  Result<> parse_reply(std::string_view body, std::vector<Event>& out) const override {
    return cohere::parse_reply(body, out);
  }

  Error parse_error(int status, std::string_view body) const override {
    const auto json = parse_event_json(body);
    return to_error(status, json && json->is_object() ? string_at(*json, "message") : std::string_view());
  }
};

}  // namespace

Error to_error(int status, std::string_view message) {
  const std::string words = lower_case(message.substr(0, 1000));
  // A trial key's calls of a month, told apart from those of a minute by the words only.
  if (status == 429 && holds_any(words, {"month", "quota", "billing"})) {
    return provider_error(ErrorKind::quota, status, message);
  }
  if (status == 498) return provider_error(ErrorKind::credential, status, message);  // "Invalid token".
  return provider_error(status, message);
}

}  // namespace cohere

const Dialect& cohere_chat() {
  static const cohere::CohereChat dialect;
  return dialect;
}

}  // namespace switchyard
