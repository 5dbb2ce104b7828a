#include "config/service_account.h"

#include "config/values.h"

#include <nlohmann/json.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

namespace switchyard::config {

namespace {

bool is_rsa_key(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  // An encrypted key must not make the gateway ask for a password.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr), &EVP_PKEY_free);
  ERR_clear_error();
  return key && EVP_PKEY_is_a(key.get(), "RSA");
}

}  // namespace

ServiceAccountOrFault parse_service_account(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return {{}, "is no JSON object: it takes the key file of a service account"};
  const auto member = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (member("type") != "service_account") return {{}, "is not of \"type\": \"service_account\""};
  ServiceAccount account;
  account.email = member("client_email");
  account.key_id = member("private_key_id");
  account.project = member("project_id");
  account.token_url = member("token_uri");
  if (account.email.empty()) return {{}, "has no client_email"};
  if (!is_rsa_key(member("private_key"))) return {{}, "has no RSA private_key"};
  account.private_key = Secret(member("private_key"));
  if (account.token_url.empty()) account.token_url = "https://oauth2.googleapis.com/token";
  if (!parse_base_url(account.token_url).url) return {{}, "has a token_uri that is no address"};
  return {std::move(account), {}};
}

}  // namespace switchyard::config
