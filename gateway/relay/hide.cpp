#include "gateway/relay/hide.h"

namespace switchyard::relay {

void hide(std::string_view words, Error& error) {
  constexpr std::string_view kInstead = "[hidden]";
  if (words.empty()) return;
  for (std::string* text : {&error.message, &error.param, &error.code}) {
    for (std::size_t at = text->find(words); at != std::string::npos;
         at = text->find(words, at + kInstead.size())) {
      text->replace(at, words.size(), kInstead);
    }
  }
}

void hide(const config::Provider& provider, Error& error) {
  hide(provider.api_key.reveal(), error);
  if (const auto& key = provider.aws_key) {
    for (const config::Secret* secret : {&key->id, &key->secret, &key->session_token}) {
      hide(secret->reveal(), error);
    }
  }
  if (const auto& entra = provider.entra) hide(entra->client_secret.reveal(), error);
  // A short value ("1", "true") is no secret, and its letters stand in many words.
  constexpr std::size_t kSecretMin = 8;
  for (const auto& [name, value] : provider.headers) {
    if (value.reveal().size() >= kSecretMin) hide(value.reveal(), error);
  }
}

}  // namespace switchyard::relay
