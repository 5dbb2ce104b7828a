#pragma once

#include "adapters/dialects/dialect.h"
#include "gateway/relay/event_relay.h"
#include "gateway/routing/rate_headers.h"
#include "gateway/upstream/call.h"
#include "gateway/upstream/local.h"
#include "gateway/upstream/token_source.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::relay {

inline constexpr std::size_t kReplyBytesMax = 64u << 20;  // A whole JSON reply.
inline constexpr std::size_t kErrorBytesMax = 1u << 20;   // An error's body.

// The body of a whole reply: as the provider sent it, or as it was written for the caller.
struct Body {
  io::ByteBuffer sent;
  std::string written;

  std::string_view view() const { return sent.size() > 0 ? sent.view() : std::string_view(written); }
};

// One attempt's reply, in the caller's dialect whatever the target speaks. Either start(), then next() until
// it is false; or start(), then whole().
class Reply {
 public:
  virtual ~Reply() = default;

  // Sends the request and waits for the reply's head. Fails with the error that the target reports.
  virtual io::Task<Result<>> start() = 0;
  // Replaces `frames` with the next whole frames for the caller, valid until the next call; false when the
  // reply is complete, terminator included. A reply that breaks off fails; `frames` are then what came before
  // the break.
  virtual io::Task<Result<bool>> next(std::vector<std::string_view>& frames) = 0;
  // The body of a reply that is not streamed.
  virtual io::Task<Result<Body>> whole() = 0;

  // After next() was false: reads what is left of the body, for a moment, so that the connection serves
  // again.
  virtual io::Task<void> settle() { co_return; }

  // A part of the answer itself has been read: from here on another target would be seen.
  virtual bool has_content() const = 0;
  virtual const std::optional<Usage>& usage() const = 0;

  // Who hears what the reply says; null: nobody. It must live as long as next() and whole() are called.
  virtual void set_tap(ReplyTap*) {}

  // What the reply's head says of the provider's rate limits; null where there is no head, or it says
  // nothing.
  virtual const routing::RateHeaders* rate_headers() const { return nullptr; }

  // The caller's side of a reply that exists as events, for another one that goes on with it; null for one
  // that passes through.
  virtual std::shared_ptr<EventRelay> events() const { return nullptr; }

  // What ends the next wait, and with which error.
  virtual void set_deadline(ErrorKind kind, Duration delay) = 0;
  virtual void clear_deadline() = 0;
  virtual void abort(ErrorKind kind) = 0;
};

// An upstream HTTP request: the head, the body's pieces, and what keeps them alive. Pieces may point into the
// caller's body, which must live until start() has returned.
struct HttpRequest {
  std::string head;
  // Gives the bearer token that is put into the head when the request is sent; null for none.
  std::shared_ptr<upstream::TokenSource> tokens = nullptr;
  std::string text;  // Whatever of the body was written for this target.
  std::vector<std::string_view> body;
};

// Same dialect on both sides: the bytes pass through. `options` as in Dialect::make_scanner.
std::unique_ptr<Reply> make_pass_through(upstream::Upstream& upstream, const upstream::Origin& origin,
                                         const Dialect& dialect, std::unique_ptr<HttpRequest> request,
                                         std::chrono::milliseconds connect_timeout, ScanOptions options);
// Two dialects: the target's bytes become events, the events the caller's bytes.
std::unique_ptr<Reply> make_translated(upstream::Upstream& upstream, const upstream::Origin& origin,
                                       const Dialect& target, std::shared_ptr<EventRelay> events,
                                       std::unique_ptr<HttpRequest> request,
                                       std::chrono::milliseconds connect_timeout);

// What a reply that is never streamed comes to, for the caller.
struct Converted {
  std::string body;  // Empty: what the provider sent passes through.
  Usage usage;
};

// A reply that is never streamed: embeddings, a count of tokens. `dialect` reads the provider's errors.
using Convert = std::function<Result<Converted>(std::string_view body)>;
std::unique_ptr<Reply> make_unary(upstream::Upstream& upstream, const upstream::Origin& origin,
                                  const Dialect& dialect, std::unique_ptr<HttpRequest> request,
                                  std::chrono::milliseconds connect_timeout, Convert convert);
// A reply that this process has worked out already.
std::unique_ptr<Reply> make_ready(Converted converted);
// The embeddings of the model in this process.
std::unique_ptr<Reply> make_local_embeddings(boost::asio::io_context& io_context, io::Deadlines& deadlines,
                                             local::Engine& engine, EmbeddingsRequest request,
                                             std::function<Converted(const EmbeddingsReply&)> convert);
// The model in this process.
std::unique_ptr<Reply> make_local(boost::asio::io_context& io_context, io::Deadlines& deadlines,
                                  local::Engine& engine, local::GenerateRequest request, std::string model,
                                  std::shared_ptr<EventRelay> events);

}  // namespace switchyard::relay
