#include "adapters/crypto/sha256.h"

#include <openssl/evp.h>

#include <charconv>
#include <stdexcept>

namespace switchyard {

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

Digest sha256_of_both(std::string_view first, std::string_view second) {
  // Each request of a gateway with keys comes here; the one-shot SHA256() looks the algorithm up under a lock
  // every time.
  thread_local Context context;
  Digest digest;
  if (EVP_DigestInit_ex2(context.state, context.algorithm, nullptr) != 1 ||
      EVP_DigestUpdate(context.state, first.data(), first.size()) != 1 ||
      EVP_DigestUpdate(context.state, second.data(), second.size()) != 1 ||
      EVP_DigestFinal_ex(context.state, digest.data(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-256");
  }
  return digest;
}

std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

Digest sha256(std::string_view bytes) {
  return sha256_of_both(bytes, {});
}

Digest hmac_sha256(std::string_view key, std::string_view message) {
  constexpr std::size_t kBlock = 64;
  std::string block(key);
  if (block.size() > kBlock) block = bytes_of(sha256(key));
  block.resize(kBlock, '\0');
  const auto masked = [&](int mask) {
    std::string out = block;
    for (char& c : out) c = static_cast<char>(c ^ mask);
    return out;
  };
  const Digest inner = sha256_of_both(masked(0x36), message);
  return sha256_of_both(masked(0x5c), bytes_of(inner));
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

}  // namespace switchyard
