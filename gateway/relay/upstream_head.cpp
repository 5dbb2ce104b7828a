#include "gateway/relay/upstream_head.h"

#include "adapters/providers/sigv4.h"
#include "gateway/relay/head_fields.h"

#include <algorithm>
#include <chrono>

namespace switchyard::relay {

namespace {

Digest digest_of(const std::vector<std::string_view>& body) {
  if (body.size() == 1) return sha256(body.front());
  std::string whole;
  for (const std::string_view piece : body) whole += piece;
  return sha256(whole);
}

Headers signature(const HeadInput& input, const HttpRequest& request) {
  const config::AwsKey& key = *input.target.provider->aws_key;
  AwsRequest aws;
  aws.method = "POST";
  aws.host = input.target.origin->host_field;
  aws.path = input.path;
  aws.headers = {{"content-type", "application/json"}};
  aws.body_sha256 = digest_of(request.body);
  aws.region = input.target.provider->region;
  aws.service = "bedrock";
  const AwsCredentials credentials{key.id.reveal(), key.secret.reveal(), key.session_token.reveal()};
  return sign(aws, credentials, std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

}  // namespace

void write_head(const HeadInput& input, upstream::Upstream& upstream, HttpRequest& request) {
  const config::Provider& provider = *input.target.provider;
  std::size_t body_bytes = 0;
  for (const std::string_view piece : request.body) body_bytes += piece.size();
  std::string& head = request.head;
  head.clear();
  head.reserve(768);
  head += "POST ";
  head += input.path;
  head += " HTTP/1.1\r\n";
  append_field(head, "host", input.target.origin->host_field);
  for (const auto& [name, value] :
       request_headers(*input.target.type, input.dialect, provider.api_key.reveal(), input.from_caller)) {
    // What the configuration sets goes before what the caller sends.
    const auto is_set = [&name = name](const auto& field) { return field.first == name; };
    if (std::ranges::none_of(provider.headers, is_set)) append_field(head, name, value);
  }
  if (provider.aws_key) {
    for (const auto& [name, value] : signature(input, request)) append_field(head, name, value);
  }
  for (const auto& [name, value] : provider.headers) append_field(head, name, value.reveal());
  append_field(head, "accept", input.accept);
  append_field(head, "content-length", std::to_string(body_bytes));
  head += "\r\n";
  if (input.target.tokens) request.tokens = upstream.token_source(input.target.tokens);
}

}  // namespace switchyard::relay
