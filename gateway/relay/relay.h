#pragma once

#include "adapters/dialects/openai_responses_state.h"
#include "gateway/http/exchange.h"
#include "gateway/io/signal.h"
#include "gateway/relay/context.h"
#include "gateway/relay/mirror.h"
#include "gateway/relay/refusal_tap.h"
#include "gateway/relay/reply.h"
#include "gateway/routing/facts.h"
#include "gateway/routing/hedge.h"
#include "gateway/routing/plan.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::relay {

// Who asks, and for what.
struct Caller {
  const Dialect* dialect = nullptr;               // Of the reply, its errors at least.
  const EmbeddingsDialect* embeddings = nullptr;  // Set: embeddings are asked for.
  const TokenCountDialect* counting = nullptr;    // Set: a count of tokens is asked for.
  std::string_view spoken;                        // The label of metrics and logs.
  telemetry::DialectId dialect_id = 0;
  const config::Key* key = nullptr;  // Null when the gateway is open.
  std::string request_id;
  Envelope envelope;
};

// The head lines that every reply of a dialect carries: the request ids, each ended by CRLF.
std::string id_fields(const Dialect& dialect, std::string_view request_id);
// Answers with an error in the caller's dialect. `fields` as in Exchange::reply.
io::Task<bool> reply_error(http::Exchange& exchange, const Dialect& dialect, const Error& error,
                           std::string_view request_id, std::string fields);

// One chat request's life: plan, attempts, commit, the record of what happened. Up to the commit point (the
// first content of a stream, the whole of a reply that is not streamed) a failure moves on to the next target
// and the caller sees nothing; behind it the stream ends with an error frame.
class Relay {
 public:
  Relay(Context& context, http::Exchange& exchange, Caller caller);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  io::Task<void> run();
  // Ends the request with an error of this kind, now: the client left, its time is over, the gateway stops.
  // The relay may be gone when it returns.
  void end(ErrorKind kind);

 private:
  static constexpr std::size_t kHeldBytesMax = 64u << 10;  // Of a stream, before its first content.
  // How long a client may take to make room for the error that ends its request.
  static constexpr std::chrono::seconds kLastWrite{1};

  enum class Step { served, refused, failed, broken, over };

  bool may_ask();
  Duration time_limit(bool has_begun) const;
  routing::Plan plan();
  routing::RequestFacts facts(routing::BodyFacts& body);
  void apply_conditions(const routing::BodyFacts& body);
  bool is_watched() const;
  void watch_request(TimePoint now);
  void watch(Reply& reply);
  void note_first_content(TimePoint now);
  void observe(const Target& target, Step step, TimePoint now);
  void note_attempt(const Target& target, Step step, TimePoint now);
  float since_began_ms(TimePoint time) const;
  void record_cost(const Target& target, const Usage& usage);
  void record_decision(telemetry::Outcome outcome);
  std::size_t index_of(const Target& target) const;
  const scoring::TargetView& scores_of(const Target& target) const;
  Error nothing_serves(const routing::Plan& plan) const;
  io::Task<void> serve();
  bool fall_back();
  io::Task<void> try_targets(const routing::Plan& plan);
  bool take_turn(const Target& target, routing::Reason reason, const std::vector<Error>& errors);
  void begin_attempt(Reply& reply, int targets_left);
  void set_first_token_deadline(Reply& reply, const Target& target, int targets_left) const;
  io::Task<Step> attempt(Reply& reply, int targets_left);

  // What has been read of a reply before it is relayed: it ran beside another.
  struct Opened {
    std::string held;                      // Frames in front of the first content.
    std::vector<std::string_view> frames;  // Those with it.
    bool more = false;                     // As Reply::next() said.
    Body body;                             // Of a reply that is not streamed.
  };

  struct Contestant;
  struct Race;

  routing::HedgeAdvice hedge_advice(const routing::Plan& plan, std::size_t at) const;
  bool enter_second(Race& race, const routing::PlannedAttempt& planned);
  io::Task<void> open(Contestant& contestant, io::Signal& wake);
  void note_lost(Contestant& loser);
  void adopt(Contestant& contestant);
  io::Task<Step> attempt_hedged(const routing::Plan& plan, std::size_t& at, std::unique_ptr<Reply>& reply,
                                int targets_left, routing::HedgeAdvice advice, std::vector<Error>& errors);
  io::Task<Step> finish_race(Race& race, std::unique_ptr<Reply>& reply, std::vector<Error>& errors);

  io::Task<Step> relay_whole(Reply& reply);
  io::Task<Step> relay_stream(Reply& reply);
  io::Task<bool> forward(Reply& reply, std::vector<std::string_view>& frames);
  Result<std::unique_ptr<Reply>> prepare(const Target& target);
  Result<std::unique_ptr<Reply>> prepare_local(const Target& target);
  Result<std::unique_ptr<Reply>> prepare_pass_through(const Target& target, const TargetSurface& surface);
  Result<std::unique_ptr<Reply>> prepare_translated(const Target& target, const TargetSurface& surface);
  Result<std::unique_ptr<HttpRequest>> finish_request(const Target& target, const TargetSurface& surface,
                                                      std::string body) const;
  std::shared_ptr<EventRelay> make_events();
  Result<std::unique_ptr<Reply>> prepare_embeddings(const Target& target);
  Result<std::unique_ptr<Reply>> prepare_count(const Target& target);
  bool carries_foreign_signature() const;
  bool carries_refused_reasoning(const Target& target) const;
  void append_with_model(std::string_view body, std::string_view model, HttpRequest& request) const;
  Result<WrittenRequest> write_request(const Target& target, const TargetSurface& surface);
  Result<> note_dropped(std::vector<std::string> dropped);
  const Result<ChatRequest>& canonical();
  ReplyContext reply_context();
  void write_head(const Target& target, const TargetSurface& surface, HttpRequest& request) const;
  std::string_view target_model(const Target& target) const;

  bool can_be_continued(const TargetSurface* surface);
  std::string seam_mark(const Target& target, const EventRelay& events) const;
  Result<std::unique_ptr<Reply>> prepare_continuation(const Target& target,
                                                      const std::shared_ptr<EventRelay>& events);
  Result<std::unique_ptr<Reply>> prepare_local_continuation(const Target& target,
                                                            const std::shared_ptr<EventRelay>& events);
  io::Task<void> go_on(const routing::Plan& plan, std::size_t next, std::shared_ptr<EventRelay> events);

  void begin_mirroring();
  void end_mirroring();

  io::Task<void> find_earlier();
  io::Task<void> find_conversation();
  io::Task<void> find_named_items();
  Result<ChatRequest> parse_with_earlier(std::string_view body) const;
  void begin_keeping(ReplyContext& context);
  void keep(std::string_view object);
  void keep_end_of(const std::vector<std::string_view>& frames);
  std::string key_name() const;

  void begin_stream(bool with_target);
  std::string fields(bool with_target) const;
  Error end_error() const;
  void judge(const Target& target, Step step, Duration took);
  void record_usage(const Reply& reply);
  io::Task<void> finish(const Error& error);
  void write_record();
  Step fail_with(Error error);

  Context& context_;
  http::Exchange& exchange_;
  Caller caller_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::list<Relay*>::iterator position_;
  TimePoint began_;
  io::Deadline total_, silence_;
  Duration limit_{};  // Of the whole request, from began_.

  const Model* model_ = nullptr;
  const Target* target_ = nullptr;                      // The one that is tried or serves.
  routing::Reason reason_ = routing::Reason::priority;  // Why it.
  std::unique_ptr<PlanRecord> record_;                  // The plan in force, and what came of it.
  std::string_view fallback_from_;                      // The model that was asked for, when another serves.
  std::string_view fallback_name_;                      // That one.
  RefusalTap refusal_;                                  // With a fallback for refusals.
  std::uint64_t scores_version_ = 0;                    // Of the plan.
  std::uint64_t session_ = 0;                           // A hash; 0: none.
  TimePoint attempt_began_{}, first_content_{};         // Of the attempt under way.
  Duration gap_max_{};                                  // Between two of its frames with content.
  float gap_ms_sum_ = 0, gap_ms_squares_ = 0;           // Of all of these gaps.
  int gaps_ = 0;
  bool degraded_ = false;         // What serves is known to be worse than it should be.
  Reply* reply_ = nullptr;        // While a reply is under way.
  Reply* hedge_reply_ = nullptr;  // While another one runs beside it.
  Opened* opened_ = nullptr;      // What is to be relayed before anything is read.
  std::optional<Result<ChatRequest>> canonical_;
  std::optional<responses::StateFields> state_;  // With a store, of a request in its dialect.
  std::optional<std::string> earlier_;           // The items of the conversation that it continues.
  bool names_kept_items_ = false;                // In its input, which input_items_ has with them.
  std::string reply_id_;                         // With state_, in place of the request's id.
  std::string input_items_;                      // What is kept of the request with the reply.
  bool keeps_ = false;                           // The reply under way is kept when it is whole.
  std::unique_ptr<Mirroring> mirroring_;         // The request is one that is compared with a shadow's.
  std::vector<std::string> dropped_;
  std::string held_;
  std::optional<Usage> usage_;
  std::optional<Duration> first_token_;
  TimePoint last_token_{};
  Duration waited_{};  // For targets and for the client: not the gateway's own time.
  std::optional<Error> error_;
  std::optional<ErrorKind> ended_;
  telemetry::Outcome outcome_ = telemetry::Outcome::ok;
  int attempts_ = 0;
  int attempts_before_ = 0;  // Of those, under the model that was asked for.
  double seam_at_ = -1;      // As Decision::seam_at.
  bool goes_on_ = false;     // Another target may go on with the stream under way should it break.
  bool committed_ = false;
};

}  // namespace switchyard::relay
