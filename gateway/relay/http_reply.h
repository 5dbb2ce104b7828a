#pragma once

#include "gateway/relay/hide.h"
#include "gateway/relay/reply.h"

namespace switchyard::relay {

// What every reply over HTTP does alike: send, and make a failure of a status that is not 200.
class HttpReply : public Reply {
 public:
  HttpReply(upstream::Upstream& upstream, const upstream::Origin& origin, const Dialect& dialect,
            std::unique_ptr<HttpRequest> request, std::chrono::milliseconds connect_timeout)
      : dialect_(dialect),
        call_(upstream, origin),
        request_(std::move(request)),
        connect_timeout_(connect_timeout) {}

  io::Task<Result<>> start() override {
    std::string token;
    const auto tokens = request_->tokens;
    if (tokens) {
      auto given = co_await tokens->get(call_.interrupt());
      if (!given && !call_.is_aborted()) co_return given.error();
      if (given) {
        token = std::move(*given);
        // In front of the empty line that ends the head.
        request_->head.insert(request_->head.size() - 2, "authorization: Bearer " + token + "\r\n");
      }
    }
    std::vector<std::string_view> pieces;
    pieces.reserve(1 + request_->body.size());
    pieces.emplace_back(request_->head);
    pieces.insert(pieces.end(), request_->body.begin(), request_->body.end());
    auto sent = co_await call_.start(pieces, connect_timeout_);
    request_.reset();
    if (!sent) co_return sent;
    const upstream::ResponseHead& head = call_.head();
    if (head.status == 200) co_return Result<>();
    if (head.status < 400) {
      co_return fail(ErrorKind::bad_reply,
                     "the provider answered with status " + std::to_string(head.status));
    }
    const auto body = co_await call_.read_all(kErrorBytesMax);
    if (!body && body.error().kind != ErrorKind::bad_reply) co_return body.error();
    Error error = dialect_.parse_error(head.status, body ? body->view() : std::string_view());
    error.upstream_status = head.status;
    if (head.retry_after) error.retry_after = head.retry_after;  // Some say it in the body.
    hide(token, error);
    if (tokens && head.status == 401) tokens->reject(token);
    co_return error;
  }

  void set_deadline(ErrorKind kind, Duration delay) override { call_.set_deadline(kind, delay); }

  void clear_deadline() override { call_.clear_deadline(); }

  void abort(ErrorKind kind) override { call_.abort(kind); }

  const routing::RateHeaders* rate_headers() const override {
    return call_.has_head() && !call_.head().rate.empty() ? &call_.head().rate : nullptr;
  }

 protected:
  Result<> expect_stream() const {
    const bool is_aws = dialect_.framing() == Framing::aws_event_stream;
    if (is_aws ? call_.head().is_aws_event_stream : call_.head().is_event_stream) return {};
    return fail(ErrorKind::bad_reply, "the provider did not answer with an event stream");
  }

  const Dialect& dialect_;  // The target's.
  upstream::HttpCall call_;

 private:
  std::unique_ptr<HttpRequest> request_;
  std::chrono::milliseconds connect_timeout_;
};

}  // namespace switchyard::relay
