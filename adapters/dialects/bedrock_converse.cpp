#include "adapters/dialects/bedrock_converse.h"

#include "adapters/dialects/provider_dialect.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

namespace switchyard {

namespace bedrock {

namespace {

// "com.amazon.coral.service#ThrottlingException:http://..." is a throttlingexception.
std::string plain_type(std::string_view type) {
  type = type.substr(0, type.find(':'));
  if (const auto hash = type.rfind('#'); hash != type.npos) type.remove_prefix(hash + 1);
  return lower_case(type);
}

int status_of(std::string_view plain_type) {
  using Row = std::pair<std::string_view, int>;
  static constexpr std::array<Row, 9> kRows{{{"validationexception", 400},
                                             {"servicequotaexceededexception", 400},
                                             {"accessdeniedexception", 403},
                                             {"resourcenotfoundexception", 404},
                                             {"modeltimeoutexception", 408},
                                             {"modelerrorexception", 424},
                                             {"throttlingexception", 429},
                                             {"modelnotreadyexception", 429},
                                             {"serviceunavailableexception", 503}}};
  const auto row = std::ranges::find(kRows, plain_type, &Row::first);
  return row != kRows.end() ? row->second : 500;
}

// Whose fault it is, where the status does not say it.
std::optional<ErrorKind> kind_beside_status(std::string_view plain_type, int status, std::string_view words) {
  if (plain_type == "servicequotaexceededexception") return ErrorKind::quota;
  if (plain_type == "modelnotreadyexception") return ErrorKind::overloaded;
  if (holds_any(plain_type, {"unrecognizedclient", "expiredtoken", "invalidsignature", "incompletesignature",
                             "missingauthenticationtoken"})) {
    return ErrorKind::credential;
  }
  // The day's tokens of the account.
  if (status == 429 && holds_any(words, {"per day"})) return ErrorKind::quota;
  if (status == 400 && holds_any(words, {"model identifier is invalid"})) return ErrorKind::not_found;
  return std::nullopt;
}

class BedrockConverse final : public ProviderDialect {
 public:
  std::string_view name() const override { return "bedrock_converse"; }

  std::string_view family() const override { return kFamily; }

  Framing framing() const override { return Framing::aws_event_stream; }

  Result<WrittenRequest> write_request(const ChatRequest& request,
                                       const TargetTraits& target) const override {
    return bedrock::write_request(request, target);
  }

  std::unique_ptr<EventParser> make_event_parser() const override { return bedrock::make_event_parser(); }

  Result<> parse_reply(std::string_view body, std::vector<Event>& out) const override {
    return bedrock::parse_reply(body, out);
  }

  // The type stands in a header, x-amzn-errortype, so that mostly the status has to do.
  Error parse_error(int status, std::string_view body) const override {
    const auto json = parse_event_json(body);
    if (!json || !json->is_object()) return to_error({}, status, {});
    std::string_view message = string_at(*json, "message");
    if (message.empty()) message = string_at(*json, "Message");
    return to_error(string_at(*json, "__type"), status, message);
  }
};

}  // namespace

Error to_error(std::string_view type, int status, std::string_view message) {
  const std::string plain = plain_type(type.substr(0, 200));
  const int stands_for = status != 0 ? status : status_of(plain);
  if (const auto kind = kind_beside_status(plain, stands_for, lower_case(message.substr(0, 1000)))) {
    return provider_error(*kind, stands_for, message);
  }
  return provider_error(stands_for, message);
}

}  // namespace bedrock

const Dialect& bedrock_converse() {
  static const bedrock::BedrockConverse dialect;
  return dialect;
}

}  // namespace switchyard
