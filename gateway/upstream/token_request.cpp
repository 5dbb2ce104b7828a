#include "gateway/upstream/token_request.h"

#include "adapters/canonical/json_text.h"
#include "adapters/crypto/sha256.h"
#include "adapters/dialects/media.h"
#include "config/values.h"
#include "gateway/upstream/origin.h"

#include <nlohmann/json.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace switchyard::upstream {

namespace {

constexpr int kConnectionsMax = 16;  // One would do: one fetch at a time.
constexpr std::size_t kFileBytesMax = 64u << 10;
constexpr std::int64_t kAssertionSeconds = 3600;

Error refused(const std::string& why) {
  return fail(ErrorKind::credential, "the provider's access token cannot be had: " + why);
}

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* pointer) const { Free(pointer); }
};

using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Digesting = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX, EVP_MD_CTX_free>>;

Key read_key(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  const auto no_password = [](char*, int, int, void*) { return -1; };
  return Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
}

// RFC 7515: base64 with '-' and '_', without padding.
std::string base64url(std::string_view bytes) {
  std::string text = encode_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string form_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::optional<std::string> read_small_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(kFileBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (text.ends_with('\n') || text.ends_with('\r') || text.ends_with(' ')) text.pop_back();
  return text;
}

Result<std::string> google_form(const config::ServiceAccount& account, std::int64_t now_s) {
  const auto assertion = make_google_assertion(account, now_s);
  if (!assertion) return assertion.error();
  return "grant_type=" + form_encoded("urn:ietf:params:oauth:grant-type:jwt-bearer") +
         "&assertion=" + *assertion;
}

Result<std::string> entra_form(const config::EntraClient& client) {
  std::string form = "grant_type=client_credentials&client_id=" + form_encoded(client.client_id) +
                     "&scope=" + form_encoded("https://cognitiveservices.azure.com/.default");
  if (!client.client_secret.empty())
    return form + "&client_secret=" + form_encoded(client.client_secret.reveal());
  const auto token = read_small_file(client.token_file);
  if (!token || !config::is_field_text(*token, kFileBytesMax))
    return refused("its token_file holds no token");
  return form +
         "&client_assertion_type=" + form_encoded("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") +
         "&client_assertion=" + form_encoded(*token);
}

}  // namespace

Result<std::string> make_google_assertion(const config::ServiceAccount& account, std::int64_t now_s) {
  std::string header = R"({"alg":"RS256","typ":"JWT")";
  if (!account.key_id.empty()) {
    header += R"(,"kid":)";
    append_json_string(account.key_id, header);
  }
  header += '}';
  std::string claims = R"({"iss":)";
  append_json_string(account.email, claims);
  claims += R"(,"scope":"https://www.googleapis.com/auth/cloud-platform","aud":)";
  append_json_string(account.token_url, claims);
  claims +=
      R"(,"iat":)" + std::to_string(now_s) + R"(,"exp":)" + std::to_string(now_s + kAssertionSeconds) + '}';
  std::string text = base64url(header) + '.' + base64url(claims);
  const Key key = read_key(account.private_key.reveal());
  const Digesting digesting(EVP_MD_CTX_new());
  std::size_t size = 0;
  std::string signature;
  bool done = key && digesting &&
              EVP_DigestSignInit(digesting.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
              EVP_DigestSignUpdate(digesting.get(), text.data(), text.size()) == 1 &&
              EVP_DigestSignFinal(digesting.get(), nullptr, &size) == 1;
  if (done) {
    signature.resize(size);
    done =
        EVP_DigestSignFinal(digesting.get(), reinterpret_cast<unsigned char*>(signature.data()), &size) == 1;
    signature.resize(size);
  }
  ERR_clear_error();
  if (!done) return refused("the service account's key does not sign");
  return text + '.' + base64url(signature);
}

Result<Token> parse_token_reply(int status, std::string_view body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  const auto text = [&](const char* name) {
    const auto found = json.is_object() ? json.find(name) : json.end();
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (status != 200) {
    // "invalid_grant", "invalid_client", ...: what follows it may hold parts of the credential.
    const std::string code = text("error");
    return refused("its giver answered with status " + std::to_string(status) +
                   (config::is_plain_name(code) ? " (" + code + ")" : std::string()));
  }
  Token token;
  token.value = text("access_token");
  if (!config::is_field_text(token.value, 16u << 10)) return refused("its giver's answer holds no token");
  // A number, or digits in a string; without it RFC 6749 leaves the lifetime open.
  std::int64_t seconds = 300;
  if (const auto found = json.find("expires_in"); found != json.end()) {
    if (found->is_number_integer()) {
      seconds = found->get<std::int64_t>();
    } else if (const std::string digits = text("expires_in"); !digits.empty()) {
      std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    }
  }
  token.lifetime = std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, 86'400));
  return token;
}

Result<std::shared_ptr<const TokenRequest>> make_token_request(const config::Provider& provider) {
  auto request = std::make_shared<TokenRequest>();
  std::string url, credential;
  if (const auto& account = provider.service_account) {
    url = account->token_url;
    credential = account->email + '\n' + account->private_key.reveal();
    request->make_form = [account = *account](std::int64_t now_s) { return google_form(account, now_s); };
  } else if (const auto& client = provider.entra) {
    url = client->token_url;
    credential = client->client_id + '\n' + client->client_secret.reveal() + '\n' + client->token_file;
    if (client->client_id.empty()) {
      request->file = client->token_file;
    } else {
      request->make_form = [client = *client](std::int64_t) { return entra_form(client); };
    }
  } else {
    return std::shared_ptr<const TokenRequest>();
  }
  request->key = provider.name + '\n' + url + '\n' + to_hex(sha256(credential)) + '\n' + provider.ca_file;
  if (request->file.empty()) {
    auto origin = make_origin(url, provider.ca_file, provider.name + " tokens", kConnectionsMax);
    if (!origin) return origin.error();
    request->origin = std::move(*origin);
    request->path = path_of(url);
    if (request->path.empty()) request->path = "/";
  }
  return std::shared_ptr<const TokenRequest>(std::move(request));
}

}  // namespace switchyard::upstream
