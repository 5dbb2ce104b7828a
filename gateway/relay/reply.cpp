#include "gateway/relay/http_reply.h"

#include <algorithm>

namespace switchyard::relay {

namespace {

class PassThrough final : public HttpReply {
 public:
  PassThrough(upstream::Upstream& upstream, const upstream::Origin& origin, const Dialect& dialect,
              std::unique_ptr<HttpRequest> request, std::chrono::milliseconds connect_timeout,
              ScanOptions options)
      : HttpReply(upstream, origin, dialect, std::move(request), connect_timeout),
        scanner_(dialect.make_scanner(options)) {}

  io::Task<Result<bool>> next(std::vector<std::string_view>& frames) override {
    frames.clear();
    if (const auto checked = expect_stream(); !checked) co_return checked.error();
    while (!scanner_->is_complete()) {
      const auto more = co_await call_.read(pieces_);
      if (!more) co_return more.error();
      const auto scanned = *more ? scanner_->feed(pieces_, frames) : scanner_->finish(frames);
      if (!scanned) co_return scanned.error();
      if (scanner_->error()) co_return *scanner_->error();
      if (!frames.empty()) {
        if (std::ranges::none_of(frames, [this](std::string_view frame) { return is_in_pieces(frame); })) {
          call_.release_pieces();  // A client that reads slowly holds one copy of a large event, not two.
        }
        co_return true;
      }
      if (!*more) break;
    }
    co_return false;
  }

  io::Task<Result<Body>> whole() override {
    auto body = co_await call_.read_all(kReplyBytesMax);
    if (!body) co_return body.error();
    const auto usage = dialect_.scan_reply(body->view(), body->capacity(), tap_);
    if (!usage) co_return usage.error();
    usage_ = *usage;
    has_content_ = true;
    co_return Body{std::move(*body), {}};
  }

  io::Task<void> settle() override {
    call_.set_deadline(ErrorKind::between_tokens_timeout, std::chrono::milliseconds(200));
    for (int i = 0; i < 4; ++i) {
      const auto more = co_await call_.read(pieces_);
      if (!more || !*more) break;
    }
    call_.clear_deadline();
  }

  bool has_content() const override { return has_content_ || scanner_->has_content(); }

  void set_tap(ReplyTap* tap) override {
    tap_ = tap;
    scanner_->set_tap(tap);
  }

  const std::optional<Usage>& usage() const override { return usage_ ? usage_ : scanner_->usage(); }

 private:
  bool is_in_pieces(std::string_view frame) const {
    return std::ranges::any_of(pieces_, [&](std::string_view piece) {
      return frame.data() >= piece.data() && frame.data() < piece.data() + piece.size();
    });
  }

  std::unique_ptr<StreamScanner> scanner_;
  std::vector<std::string_view> pieces_;
  std::optional<Usage> usage_;
  ReplyTap* tap_ = nullptr;
  bool has_content_ = false;
};

class Translated final : public HttpReply {
 public:
  Translated(upstream::Upstream& upstream, const upstream::Origin& origin, const Dialect& target,
             std::shared_ptr<EventRelay> events, std::unique_ptr<HttpRequest> request,
             std::chrono::milliseconds connect_timeout)
      : HttpReply(upstream, origin, target, std::move(request), connect_timeout),
        relay_(std::move(events)),
        parser_(target.make_event_parser()) {}

  io::Task<Result<bool>> next(std::vector<std::string_view>& frames) override {
    frames.clear();
    if (const auto checked = expect_stream(); !checked) co_return checked.error();
    relay_->out().clear();
    while (!ended_) {
      events_.clear();
      const auto more = co_await call_.read(pieces_);
      Result<> parsed;
      if (more && *more) {
        for (std::size_t i = 0; i < pieces_.size() && parsed; ++i)
          parsed = parser_->feed(pieces_[i], events_);
      } else {
        parsed = parser_->finish(events_);
        // A provider that sent its whole answer need not end its body in order too.
        if (!more && !parsed) parsed = more.error();
        ended_ = true;
      }
      const auto written = relay_->write(events_);
      if (ended_ && written && parsed) relay_->end();
      if (!relay_->out().empty()) frames.emplace_back(relay_->out());
      if (!written) co_return written.error();
      if (!parsed) co_return parsed.error();
      if (!frames.empty()) co_return true;
    }
    co_return false;
  }

  io::Task<Result<Body>> whole() override {
    const auto body = co_await call_.read_all(kReplyBytesMax);
    if (!body) co_return body.error();
    std::vector<Event> events;
    if (const auto parsed = dialect_.parse_reply(body->view(), events); !parsed) co_return parsed.error();
    auto written = relay_->fold(events);
    if (!written) co_return written.error();
    co_return Body{{}, std::move(*written)};
  }

  bool has_content() const override { return relay_->has_content(); }

  void set_tap(ReplyTap* tap) override { relay_->set_tap(tap); }

  const std::optional<Usage>& usage() const override { return relay_->usage(); }

  std::shared_ptr<EventRelay> events() const override { return relay_; }

 private:
  std::shared_ptr<EventRelay> relay_;
  std::unique_ptr<EventParser> parser_;
  std::vector<std::string_view> pieces_;
  std::vector<Event> events_;
  bool ended_ = false;
};

class Local final : public Reply {
 public:
  Local(boost::asio::io_context& io_context, io::Deadlines& deadlines, local::Engine& engine,
        local::GenerateRequest request, std::string model, std::shared_ptr<EventRelay> events)
      : relay_(std::move(events)),
        call_(io_context, deadlines, engine),
        request_(std::move(request)),
        model_(std::move(model)) {}

  io::Task<Result<>> start() override { co_return call_.start(std::move(request_), model_); }

  io::Task<Result<bool>> next(std::vector<std::string_view>& frames) override {
    frames.clear();
    relay_->out().clear();
    while (!ended_) {
      const auto more = co_await call_.read(events_);
      if (!more) co_return more.error();
      relay_->count_given(call_.prefix_tokens());
      const auto written = relay_->write(events_);
      if (!*more && written) relay_->end();
      if (!relay_->out().empty()) frames.emplace_back(relay_->out());
      if (!written) co_return written.error();
      ended_ = !*more;
      if (!frames.empty()) co_return true;
    }
    co_return false;
  }

  io::Task<Result<Body>> whole() override {
    std::vector<Event> all;
    for (;;) {
      const auto more = co_await call_.read(events_);
      if (!more) co_return more.error();
      if (!*more) break;
      all.insert(all.end(), std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end()));
    }
    auto written = relay_->fold(all);
    if (!written) co_return written.error();
    co_return Body{{}, std::move(*written)};
  }

  bool has_content() const override { return relay_->has_content(); }

  void set_tap(ReplyTap* tap) override { relay_->set_tap(tap); }

  const std::optional<Usage>& usage() const override { return relay_->usage(); }

  std::shared_ptr<EventRelay> events() const override { return relay_; }

  void set_deadline(ErrorKind kind, Duration delay) override { call_.set_deadline(kind, delay); }

  void clear_deadline() override { call_.clear_deadline(); }

  void abort(ErrorKind kind) override { call_.abort(kind); }

 private:
  std::shared_ptr<EventRelay> relay_;
  upstream::LocalCall call_;
  local::GenerateRequest request_;
  std::string model_;
  std::vector<Event> events_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Reply> make_pass_through(upstream::Upstream& upstream, const upstream::Origin& origin,
                                         const Dialect& dialect, std::unique_ptr<HttpRequest> request,
                                         std::chrono::milliseconds connect_timeout, ScanOptions options) {
  return std::make_unique<PassThrough>(upstream, origin, dialect, std::move(request), connect_timeout,
                                       options);
}

std::unique_ptr<Reply> make_translated(upstream::Upstream& upstream, const upstream::Origin& origin,
                                       const Dialect& target, std::shared_ptr<EventRelay> events,
                                       std::unique_ptr<HttpRequest> request,
                                       std::chrono::milliseconds connect_timeout) {
  return std::make_unique<Translated>(upstream, origin, target, std::move(events), std::move(request),
                                      connect_timeout);
}

std::unique_ptr<Reply> make_local(boost::asio::io_context& io_context, io::Deadlines& deadlines,
                                  local::Engine& engine, local::GenerateRequest request, std::string model,
                                  std::shared_ptr<EventRelay> events) {
  return std::make_unique<Local>(io_context, deadlines, engine, std::move(request), std::move(model),
                                 std::move(events));
}

}  // namespace switchyard::relay
