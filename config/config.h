#pragma once

#include "adapters/providers/provider.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::config {

using std::chrono::milliseconds;

// A credential: it has no printer, so it cannot reach a log by accident. reveal() is called where a request
// to its own provider is written, and nowhere else.
class Secret {
 public:
  Secret() = default;

  explicit Secret(std::string value) : value_(std::move(value)) {}

  const std::string& reveal() const { return value_; }

  bool empty() const { return value_.empty(); }

  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

struct Address {
  std::string host;  // A name or an IP literal, without brackets.
  std::uint16_t port = 0;
  friend bool operator==(const Address&, const Address&) = default;
};

struct Limits {
  std::size_t body_bytes = 32u << 20;
  std::size_t header_bytes = 64u << 10;
  int connections = 20000;
  milliseconds request_read{30'000};  // The whole of one request's head and body.
  milliseconds idle{75'000};          // Between requests on one connection.
  milliseconds drain{30'000};
  milliseconds heartbeat{15'000};  // The longest silence of a stream.
  friend bool operator==(const Limits&, const Limits&) = default;
};

struct Tls {
  std::string certificate, private_key;  // Paths to PEM files.
  friend bool operator==(const Tls&, const Tls&) = default;
};

struct Server {
  Address listen{"127.0.0.1", 8080};
  Address admin{"127.0.0.1", 8081};
  std::optional<Tls> tls;
  int workers = 0;  // 0: one a core.
  Limits limits;
};

// An AWS access key, which signs requests.
struct AwsKey {
  Secret id, secret, session_token;  // The token is of temporary keys only.
};

// A Google service account, whose key signs what is exchanged for access tokens.
struct ServiceAccount {
  std::string email, key_id, project, token_url;
  Secret private_key;  // PEM.
};

// How access tokens of Microsoft Entra are had: with a secret, with a federated token out of a file that
// somebody renews, or, without a client, as they stand in such a file.
struct EntraClient {
  std::string client_id, token_file, token_url;
  Secret client_secret;
};

struct Provider {
  std::string name;
  std::string type;      // Names a row: find_type().
  std::string base_url;  // Without a trailing slash; the type's default filled in. Empty for local.
  std::string query;     // Of every path, without the '?'; may be empty.
  Secret api_key;
  std::string ca_file;     // An extra certificate authority for this provider; may be empty.
  int connections = 1024;  // At most this many a worker.
  std::vector<std::pair<std::string, Secret>> headers;  // More fields of each request, by lower-case name.
  std::string region;                                   // AWS's.
  std::optional<AwsKey> aws_key;
  std::optional<ServiceAccount> service_account;
  std::optional<EntraClient> entra;
  // For type local:
  std::map<std::string, std::string>
      models;                   // Name to GGUF path, made absolute; "bundled": the bundled model.
  std::string device = "auto";  // auto or cpu.
  int threads = 0;              // Compute threads; 0: one a core, at most 8.
  int queue = 64;               // Requests that may wait.
};

struct Target {
  std::string provider;  // Names a Provider.
  // Empty: the name that the caller asked for goes through. "*": of that name, what the '*' of the pattern
  // that it fits stands for. See upstream_model().
  std::string model;
  double weight = 1;
  int tier = 0;  // A higher tier serves only when every lower one cannot.
};

enum class Strategy { priority, weighted };

struct Timeouts {
  milliseconds connect{2'000}, first_token{60'000}, between_tokens{30'000}, total{600'000};
};

struct Retry {
  int attempts = 3;     // Tries in all, the first included.
  double budget = 0.2;  // Share of traffic that retries may add.
};

struct Model {
  std::string name;  // A name, or a pattern with one or more '*'.
  std::vector<Target> targets;
  Strategy strategy = Strategy::priority;
  Timeouts timeouts;
  Retry retry;
  bool strict = false;
};

struct Key {
  std::string name;
  std::array<unsigned char, 32> sha256{};  // Of the secret: the gateway never holds the secret itself.
  std::vector<std::string> models;         // Names or patterns; empty: all.
};

// How much is kept of responses for GET /v1/responses/{id} and previous_response_id.
struct ResponseStore {
  milliseconds keep{std::chrono::hours(720)};
  int entries_max = 100'000;
  std::size_t bytes_max = std::size_t{1} << 30;
};

struct Store {
  std::string ledger;  // The database's path, absolute.
  ResponseStore responses;
};

enum class LogLevel { trace, debug, info, warning, error };

// The whole configuration, checked: every name resolves, every value is in range.
struct Config {
  Server server;
  std::vector<ProviderType> provider_types;  // Its own; the built-in ones are not among them.
  std::vector<Provider> providers;
  std::vector<Model> models;
  std::vector<Key> keys;
  std::optional<Store> store;
  LogLevel log_level = LogLevel::info;
  std::string version;  // The first 12 hex digits of the SHA-256 of the text it was read from, expanded.
};

}  // namespace switchyard::config
