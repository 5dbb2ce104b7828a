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

// USD for a million tokens.
struct Prices {
  double input = 0, output = 0;
  double cached = 0;  // Of input tokens that the provider had cached.
  friend bool operator==(const Prices&, const Prices&) = default;
};

// What a request must be like for a target to be one of its candidates. Everything that is set must hold.
struct Condition {
  std::vector<std::string> keys;                              // Names of keys; empty: any caller.
  std::vector<std::pair<std::string, std::string>> headers;   // Lower-case name, value or pattern with '*'.
  std::vector<std::pair<std::string, std::string>> metadata;  // The request's metadata, in the same way.
  std::int64_t input_tokens_min = 0, input_tokens_max = 0;    // Estimated; a max of 0: no bound.
  std::optional<bool> tools, images, json, stream;            // Whether the request has, or asks for, them.

  bool empty() const { return *this == Condition(); }

  friend bool operator==(const Condition&, const Condition&) = default;
};

struct Target {
  std::string provider;  // Names a Provider.
  // Empty: the name that the caller asked for goes through. "*": of that name, what the '*' of the pattern
  // that it fits stands for. See upstream_model().
  std::string model;
  double weight = 1;
  int tier = 0;                  // A higher tier serves only when every lower one cannot.
  std::optional<double> canary;  // This share of the requests, whatever the strategy says; 0 to 1.
  std::optional<Prices> prices;  // In place of the provider type's.
  std::optional<std::int64_t> context_tokens;  // In place of the provider type's.
  int concurrent = 0;  // At most this many requests at a time; 0: adapts to what it bears.
  Condition when;
};

enum class Strategy { priority, weighted, latency, cost, least_busy, score };

// What the strategy `score` weighs; the three add up to 1.
struct Objectives {
  double quality = 0.6, latency = 0.3, cost = 0.1;
  friend bool operator==(const Objectives&, const Objectives&) = default;
};

// A second attempt beside one that is slow to give its first token.
struct Hedge {
  double percentile = 0.95;           // Of the time to first token of its target, after which it starts.
  std::optional<milliseconds> after;  // A fixed time in place of the percentile.
  double budget = 0.05;               // The share of requests that may be hedged.
};

// What a stream that breaks after its first token comes to.
enum class OnBreak { error, go_on };  // `error`, `continue`.

// Which requests go to the same target as long as it is as good as the others.
enum class Sticky {
  none,
  session,  // Those of one session: header x-session-id, else the body's user or metadata's user_id.
  prompt,   // Those whose prompts begin alike: for the provider's prompt cache.
};

// A copy of some requests goes to another target, whose answer nobody gets but the judge (quality.judge).
struct Shadow {
  Target target;
  double share = 0.005;
};

// Another model of this configuration that a request goes to when this one cannot serve it.
struct Fallbacks {
  std::string context_too_long;  // The prompt does not fit. Empty: none.
  std::string refusal;           // The answer is a refusal (content filter), before its first content.
  std::string failure;           // Every target failed, or may not be tried.
};

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
  Objectives objectives;
  std::optional<Hedge> hedge;
  OnBreak on_break = OnBreak::error;
  bool mark_seam = false;  // A stream that was continued says where, in a comment.
  Sticky sticky = Sticky::none;
  Fallbacks fallbacks;
  std::optional<Shadow> shadow;
  bool allow_feedback = true;
};

struct Key {
  std::string name;
  std::array<unsigned char, 32> sha256{};  // Of the secret: the gateway never holds the secret itself.
  std::vector<std::string> models;         // Names or patterns; empty: all.
  // When all is full, requests of a lower class are shed first: 0 batch, 1 normal, 2 interactive.
  int priority = 1;
  bool shadow = false;  // Requests of this key may be mirrored (models.*.shadow).
};

// How much is kept of responses for GET /v1/responses/{id} and previous_response_id.
struct ResponseStore {
  milliseconds keep{std::chrono::hours(720)};
  int entries_max = 100'000;
  std::size_t bytes_max = std::size_t{1} << 30;
};

// How many decision records are kept for `explain` and `simulate`.
struct DecisionStore {
  bool enabled = true;
  milliseconds keep{std::chrono::hours(24 * 7)};
  int entries_max = 100'000;
};

struct Store {
  std::string ledger;  // The database's path, absolute.
  ResponseStore responses;
  DecisionStore decisions;
};

// Whether evidence of worse answers moves traffic (docs/quality.md).
enum class QualityMode {
  off,    // Nothing is watched.
  watch,  // Scores are kept, shown and exported; traffic stays.
  act,
};

struct SignalSetting {
  std::string signal;               // One of scoring's names.
  std::optional<QualityMode> mode;  // `watch`: shown, never acted on.
  std::optional<double> tolerance;  // The smallest rise above the baseline that is worth moving traffic.
  std::optional<double> rate;       // A healthy rate that is known; replaces what is learnt.
};

struct Probes {
  bool enabled = false;               // They cost money.
  double budget = 0.005;              // Share of a target's spend,
  int tokens_per_hour = 2'000;        // or so many, whichever is more.
  std::vector<std::string> families;  // Of canaries; empty: all.
  bool identity = true, contract = true;
};

struct Judge {
  std::string model;        // Of this configuration: pinned, and never one of the judged.
  double sentinels = 0.05;  // Share of pairs with a known verdict, which watch the judge.
};

struct Quality {
  QualityMode mode = QualityMode::act;
  double requests_between_false_ejects = 1e6;  // A.
  // A baseline is learnt from so many observations, in so many blocks, over so long.
  int learn_observations = 500, learn_blocks = 20;
  milliseconds learn_for{std::chrono::hours(72)}, block{std::chrono::minutes(5)};
  milliseconds dwell{std::chrono::minutes(10)}, dwell_max{std::chrono::hours(24)};
  milliseconds rise{std::chrono::seconds(30)};  // A share may rise by half once in that time.
  std::vector<SignalSetting> signals;
  Probes probes;
  std::optional<Judge> judge;
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
  Quality quality;
  LogLevel log_level = LogLevel::info;
  std::string version;  // The first 12 hex digits of the SHA-256 of the text it was read from, expanded.
};

}  // namespace switchyard::config
