// Replies that are never streamed: embeddings and counts of tokens.
#include "gateway/relay/http_reply.h"

namespace switchyard::relay {

namespace {

Error not_a_stream() {
  return fail(ErrorKind::internal, "this reply is not streamed");
}

class Unary final : public HttpReply {
 public:
  Unary(upstream::Upstream& upstream, const upstream::Origin& origin, const Dialect& dialect,
        std::unique_ptr<HttpRequest> request, std::chrono::milliseconds connect_timeout, Convert convert)
      : HttpReply(upstream, origin, dialect, std::move(request), connect_timeout),
        convert_(std::move(convert)) {}

  io::Task<Result<bool>> next(std::vector<std::string_view>&) override { co_return not_a_stream(); }

  io::Task<Result<Body>> whole() override {
    auto body = co_await call_.read_all(kReplyBytesMax);
    if (!body) co_return body.error();
    auto converted = convert_(body->view());
    if (!converted) co_return converted.error();
    usage_ = converted->usage;
    if (converted->body.empty()) co_return Body{std::move(*body), {}};
    co_return Body{{}, std::move(converted->body)};
  }

  bool has_content() const override { return usage_.has_value(); }

  const std::optional<Usage>& usage() const override { return usage_; }

 private:
  Convert convert_;
  std::optional<Usage> usage_;
};

class Ready final : public Reply {
 public:
  explicit Ready(Converted converted) : converted_(std::move(converted)), usage_(converted_.usage) {}

  io::Task<Result<>> start() override { co_return Result<>(); }

  io::Task<Result<bool>> next(std::vector<std::string_view>&) override { co_return not_a_stream(); }

  io::Task<Result<Body>> whole() override { co_return Body{{}, std::move(converted_.body)}; }

  bool has_content() const override { return true; }

  const std::optional<Usage>& usage() const override { return usage_; }

  void set_deadline(ErrorKind, Duration) override {}

  void clear_deadline() override {}

  void abort(ErrorKind) override {}

 private:
  Converted converted_;
  std::optional<Usage> usage_;
};

class LocalEmbeddingsReply final : public Reply {
 public:
  LocalEmbeddingsReply(boost::asio::io_context& io_context, io::Deadlines& deadlines, local::Engine& engine,
                       EmbeddingsRequest request, std::function<Converted(const EmbeddingsReply&)> convert)
      : call_(io_context, deadlines, engine), request_(std::move(request)), convert_(std::move(convert)) {}

  io::Task<Result<>> start() override { co_return call_.start(std::move(request_)); }

  io::Task<Result<bool>> next(std::vector<std::string_view>&) override { co_return not_a_stream(); }

  io::Task<Result<Body>> whole() override {
    auto reply = co_await call_.read();
    if (!reply) co_return reply.error();
    Converted converted = convert_(*reply);
    usage_ = converted.usage;
    co_return Body{{}, std::move(converted.body)};
  }

  bool has_content() const override { return usage_.has_value(); }

  const std::optional<Usage>& usage() const override { return usage_; }

  void set_deadline(ErrorKind kind, Duration delay) override { call_.set_deadline(kind, delay); }

  void clear_deadline() override { call_.clear_deadline(); }

  void abort(ErrorKind kind) override { call_.abort(kind); }

 private:
  upstream::LocalEmbeddings call_;
  EmbeddingsRequest request_;
  std::function<Converted(const EmbeddingsReply&)> convert_;
  std::optional<Usage> usage_;
};

}  // namespace

std::unique_ptr<Reply> make_unary(upstream::Upstream& upstream, const upstream::Origin& origin,
                                  const Dialect& dialect, std::unique_ptr<HttpRequest> request,
                                  std::chrono::milliseconds connect_timeout, Convert convert) {
  return std::make_unique<Unary>(upstream, origin, dialect, std::move(request), connect_timeout,
                                 std::move(convert));
}

std::unique_ptr<Reply> make_ready(Converted converted) {
  return std::make_unique<Ready>(std::move(converted));
}

std::unique_ptr<Reply> make_local_embeddings(boost::asio::io_context& io_context, io::Deadlines& deadlines,
                                             local::Engine& engine, EmbeddingsRequest request,
                                             std::function<Converted(const EmbeddingsReply&)> convert) {
  return std::make_unique<LocalEmbeddingsReply>(io_context, deadlines, engine, std::move(request),
                                                std::move(convert));
}

}  // namespace switchyard::relay
