#include "config/sha256.h"

#include <openssl/evp.h>

#include <charconv>
#include <memory>
#include <stdexcept>

namespace switchyard::config {

namespace {

struct Context {
  Context() : algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr)), state(EVP_MD_CTX_new()) {}

  ~Context() {
    EVP_MD_CTX_free(state);
    EVP_MD_free(algorithm);
  }

  Context(const Context&) = delete;

  EVP_MD* algorithm;
  EVP_MD_CTX* state;
};

}  // namespace

Digest sha256(std::string_view bytes) {
  // Each request of a gateway with keys comes here; the one-shot SHA256() looks the algorithm up under a lock
  // every time.
  thread_local Context context;
  Digest digest;
  if (EVP_DigestInit_ex2(context.state, context.algorithm, nullptr) != 1 ||
      EVP_DigestUpdate(context.state, bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context.state, digest.data(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-256");
  }
  return digest;
}

std::string to_hex(const Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Digest> from_hex(std::string_view text) {
  Digest digest;
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const char* begin = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, digest[i], 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
  }
  return digest;
}

}  // namespace switchyard::config
