#include "gateway/upstream/local.h"

#include "gateway/io/signal.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

namespace switchyard::upstream {

namespace {

// Text of a message's parts, or the kind of part that a text model cannot take.
Result<std::string> text_of(const Message& message, std::size_t index) {
  std::string text;
  for (std::size_t i = 0; i < message.parts.size(); ++i) {
    const Part& part = message.parts[i];
    if (const auto* plain = std::get_if<TextPart>(&part)) {
      if (!text.empty()) text += '\n';
      text += plain->text;
    } else if (const auto* refusal = std::get_if<RefusalPart>(&part)) {
      text += refusal->text;
    } else if (!std::holds_alternative<ThinkingPart>(part)) {
      const char* what = std::holds_alternative<ImagePart>(part)      ? "images"
                         : std::holds_alternative<DocumentPart>(part) ? "documents"
                         : std::holds_alternative<AudioPart>(part)    ? "audio"
                         : std::holds_alternative<ToolCallPart>(part) ? "tool calls"
                                                                      : "tool results";
      return fail(ErrorKind::unsupported, std::string("the local model does not take ") + what,
                  "messages[" + std::to_string(index) + "].content[" + std::to_string(i) + "]");
    }
  }
  return text;
}

Result<> check_supported(const ChatRequest& request) {
  const bool wants_tools =
      !request.tools.empty() && !(request.tool_choice && request.tool_choice->mode == ToolChoice::Mode::none);
  if (wants_tools) return fail(ErrorKind::unsupported, "the local model does not call tools", "tools");
  if (request.choices.value_or(1) != 1) {
    return fail(ErrorKind::unsupported, "the local model gives one choice", "n");
  }
  if (request.logprobs.value_or(false)) {
    return fail(ErrorKind::unsupported, "the local model gives no log-probabilities", "logprobs");
  }
  if (!request.logit_bias.empty()) {
    return fail(ErrorKind::unsupported, "the local model takes no logit bias", "logit_bias");
  }
  if (request.response_format && request.response_format->kind != ResponseFormat::Kind::text) {
    return fail(ErrorKind::unsupported, "the local model cannot be held to a format", "response_format");
  }
  return {};
}

// Why the engine did not take `what`, the request's field `param`.
Error to_error(const local::Engine::Submitted& submitted, const std::string& what, const std::string& param) {
  using Refusal = local::Engine::Refusal;
  switch (submitted.refusal) {
    case Refusal::queue_full:
      return fail(ErrorKind::overloaded, "the local model's queue is full");
    case Refusal::empty_input:
      return fail(ErrorKind::invalid_request, what + " is empty", param);
    case Refusal::unknown_token:
      return fail(ErrorKind::invalid_request, what + " has a token that the local model does not have",
                  param);
    case Refusal::too_large:
      return fail(ErrorKind::unsupported,
                  "the local model takes at most " + std::to_string(local::Engine::kInputsMax) +
                      " inputs and 1 MiB at once",
                  "input");
    case Refusal::none:
    case Refusal::prompt_too_long:
      break;
  }
  Error error(ErrorKind::context_too_long,
              what + " has " + std::to_string(submitted.prompt_tokens) + " tokens; the model takes " +
                  std::to_string(submitted.context_tokens),
              param);
  error.code = "context_length_exceeded";
  return error;
}

Event to_finish(const local::Outcome& outcome) {
  Finish finish;
  if (outcome.reason == local::Outcome::Reason::length) finish.reason = FinishReason::length;
  if (outcome.reason == local::Outcome::Reason::stop_string) finish.stop_sequence = outcome.stop_string;
  return finish;
}

}  // namespace

Result<LocalRequest> to_local(const ChatRequest& request, std::uint64_t seed) {
  if (const auto supported = check_supported(request); !supported) return supported.error();
  LocalRequest local;
  for (std::size_t i = 0; i < request.messages.size(); ++i) {
    const Message& message = request.messages[i];
    auto text = text_of(message, i);
    if (!text) return text.error();
    const char* role = message.role == Role::system ? "system"
                       : message.role == Role::user ? "user"
                                                    : "assistant";
    local.generate.messages.push_back({role, std::move(*text)});
  }
  auto& sampling = local.generate.sampling;
  sampling.temperature = static_cast<float>(request.temperature.value_or(1.0));
  sampling.top_p = static_cast<float>(request.top_p.value_or(1.0));
  sampling.min_p = static_cast<float>(request.min_p.value_or(0.0));
  sampling.top_k = static_cast<int>(std::clamp<std::int64_t>(request.top_k.value_or(0), 0, 1 << 30));
  sampling.seed = request.seed ? static_cast<std::uint64_t>(*request.seed) : seed;
  local.generate.max_tokens =
      static_cast<int>(std::clamp<std::int64_t>(request.max_output_tokens.value_or(0), 0, 1 << 30));
  std::copy_if(request.stop.begin(), request.stop.end(), std::back_inserter(local.generate.stop),
               [](const std::string& stop) { return !stop.empty(); });
  if (request.frequency_penalty.value_or(0) != 0) local.dropped.emplace_back("frequency_penalty");
  if (request.presence_penalty.value_or(0) != 0) local.dropped.emplace_back("presence_penalty");
  if (request.reasoning) local.dropped.emplace_back("reasoning");
  return local;
}

// Carries what the engine gives from its thread to the event loop's. What arrives between two turns of the
// loop is taken in one go.
class LocalRun::Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  explicit Mailbox(boost::asio::io_context& context) : context_(context) {}

  virtual ~Mailbox() = default;

  // On the event loop: from here on nothing reaches it, so that it may end before the engine has noticed.
  void close() {
    const std::lock_guard lock(mutex_);
    notified_ = true;
  }

  io::Signal arrived;  // The event loop's alone.

 protected:
  // With the lock.
  void notify() {
    if (std::exchange(notified_, true)) return;
    boost::asio::post(context_, [self = shared_from_this()] { self->arrived.set(); });
  }

  std::mutex mutex_;
  bool notified_ = false;

 private:
  boost::asio::io_context& context_;
};

LocalRun::LocalRun(io::Deadlines& deadlines, local::Engine& engine, std::shared_ptr<Mailbox> mailbox)
    : engine_(engine),
      mailbox_(std::move(mailbox)),
      deadline_(
          deadlines,
          [](void* self) {
            auto& run = *static_cast<LocalRun*>(self);
            run.abort(run.deadline_kind_);
          },
          this) {}

LocalRun::~LocalRun() {
  mailbox_->close();
  cancel();
}

void LocalRun::started(std::uint64_t id) {
  id_ = id;
}

void LocalRun::finished() {
  id_ = 0;
  deadline_.disarm();
}

void LocalRun::cancel() {
  if (const auto id = std::exchange(id_, 0); id != 0) engine_.cancel(id);
}

void LocalRun::set_deadline(ErrorKind kind, Duration delay) {
  deadline_kind_ = kind;
  deadline_.arm_in(delay);
}

void LocalRun::abort(ErrorKind kind) {
  if (is_aborted_) return;
  is_aborted_ = true;
  aborted_ = kind;
  deadline_.disarm();
  cancel();
  mailbox_->arrived.set();
}

class LocalCall::Inbox final : public Mailbox, public local::Sink {
 public:
  using Mailbox::Mailbox;

  void on_text(std::string_view text) override {
    const std::lock_guard lock(mutex_);
    text_ += text;
    notify();
  }

  void on_end(const local::Outcome& outcome) override {
    const std::lock_guard lock(mutex_);
    outcome_ = outcome;
    notify();
  }

  // On the event loop.
  void take(std::string& text, std::optional<local::Outcome>& outcome) {
    const std::lock_guard lock(mutex_);
    text.swap(text_);
    text_.clear();
    outcome.swap(outcome_);
    notified_ = false;
  }

 private:
  std::string text_;
  std::optional<local::Outcome> outcome_;
};

LocalCall::LocalCall(boost::asio::io_context& context, io::Deadlines& deadlines, local::Engine& engine)
    : LocalCall(deadlines, engine, std::make_shared<Inbox>(context)) {}

LocalCall::LocalCall(io::Deadlines& deadlines, local::Engine& engine, std::shared_ptr<Inbox> inbox)
    : LocalRun(deadlines, engine, inbox), inbox_(std::move(inbox)) {}

LocalCall::~LocalCall() = default;

Result<> LocalCall::start(local::GenerateRequest request, const std::string& model) {
  const auto submitted = engine_.submit(std::move(request), inbox_);
  if (submitted.refusal != local::Engine::Refusal::none) return to_error(submitted, "the prompt", "messages");
  started(submitted.id);
  pending_.emplace_back(ReplyStart{{}, model});
  return {};
}

io::Task<Result<bool>> LocalCall::read(std::vector<Event>& events) {
  events = std::exchange(pending_, {});
  if (!events.empty()) co_return true;
  for (;;) {
    if (is_aborted_) co_return fail(aborted_, "the request was ended");
    if (done_) co_return false;
    std::string text;
    std::optional<local::Outcome> outcome;
    inbox_->take(text, outcome);
    if (!text.empty()) events.emplace_back(TextDelta{std::move(text)});
    if (outcome) {
      done_ = true;
      finished();
      if (outcome->reason == local::Outcome::Reason::failed ||
          outcome->reason == local::Outcome::Reason::cancelled) {
        co_return fail(ErrorKind::provider_error, "the local model failed: " + outcome->message);
      }
      Usage usage;
      prefix_tokens_ = outcome->prefix_tokens;
      usage.input_tokens = outcome->input_tokens + outcome->prefix_tokens;
      usage.output_tokens = outcome->output_tokens - outcome->prefix_tokens;
      events.emplace_back(usage);
      events.emplace_back(to_finish(*outcome));
    }
    if (!events.empty()) co_return true;
    co_await inbox_->arrived;
  }
}

class LocalEmbeddings::Inbox final : public Mailbox, public local::EmbeddingSink {
 public:
  using Mailbox::Mailbox;

  void on_end(local::EmbeddingOutcome outcome) override {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    notify();
  }

  // On the event loop.
  std::optional<local::EmbeddingOutcome> take() {
    const std::lock_guard lock(mutex_);
    notified_ = false;
    return std::exchange(outcome_, std::nullopt);
  }

 private:
  std::optional<local::EmbeddingOutcome> outcome_;
};

LocalEmbeddings::LocalEmbeddings(boost::asio::io_context& context, io::Deadlines& deadlines,
                                 local::Engine& engine)
    : LocalEmbeddings(deadlines, engine, std::make_shared<Inbox>(context)) {}

LocalEmbeddings::LocalEmbeddings(io::Deadlines& deadlines, local::Engine& engine,
                                 std::shared_ptr<Inbox> inbox)
    : LocalRun(deadlines, engine, inbox), inbox_(std::move(inbox)) {}

LocalEmbeddings::~LocalEmbeddings() = default;

Result<> LocalEmbeddings::start(EmbeddingsRequest request, std::string model) {
  const int size = engine_.embedding_size();
  if (request.dimensions.value_or(size) != size) {
    return fail(ErrorKind::unsupported, "the local model's vectors have " + std::to_string(size) + " numbers",
                "dimensions");
  }
  const bool is_only = request.texts.size() + request.tokens.size() <= 1;
  local::EmbeddingRequest embedding;
  embedding.texts = std::move(request.texts);
  for (const auto& ids : request.tokens) {
    auto& input = embedding.tokens.emplace_back();
    // An id that is no int is none of the vocabulary either.
    for (const std::int64_t id : ids) input.push_back(std::in_range<int>(id) ? static_cast<int>(id) : -1);
  }
  const auto submitted = engine_.submit_embedding(std::move(embedding), inbox_);
  if (submitted.refusal != local::Engine::Refusal::none) {
    const auto name = is_only ? "input" : "input[" + std::to_string(submitted.input) + "]";
    return to_error(submitted, name, name);
  }
  started(submitted.id);
  model_ = std::move(model);
  return {};
}

io::Task<Result<EmbeddingsReply>> LocalEmbeddings::read() {
  for (;;) {
    if (is_aborted_) co_return fail(aborted_, "the request was ended");
    if (auto outcome = inbox_->take()) {
      finished();
      if (outcome->reason != local::EmbeddingOutcome::Reason::done) {
        co_return fail(ErrorKind::provider_error, "the local model failed: " + outcome->message);
      }
      EmbeddingsReply reply;
      reply.model = std::move(model_);
      reply.vectors = std::move(outcome->vectors);
      reply.input_tokens = outcome->input_tokens;
      co_return reply;
    }
    co_await inbox_->arrived;
  }
}

}  // namespace switchyard::upstream
