#include "gateway/upstream/token_source.h"

#include "config/values.h"

#include <algorithm>
#include <fstream>

namespace switchyard::upstream {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr seconds kFetchMax{10}, kConnectMax{5};
// A token is not used in its last moments: the request that carries it takes a while to arrive.
constexpr seconds kMargin{30};
constexpr minutes kRenewAhead{5};
constexpr seconds kRetryAfter{2};  // Between a failed fetch and the next.
constexpr seconds kFileKept{60};   // A token from a file is read again.
constexpr std::size_t kReplyBytesMax = 64u << 10;
constexpr minutes kForgottenAfter{10};

}  // namespace

Upstream::Upstream(boost::asio::io_context& context, io::Deadlines& deadlines, io::BlockPool& blocks)
    : context(context), deadlines(deadlines), blocks(blocks), resolver(context) {}

Upstream::~Upstream() = default;

std::shared_ptr<TokenSource> Upstream::token_source(const std::shared_ptr<const TokenRequest>& request) {
  const auto found = tokens.find(request->key);
  if (found != tokens.end()) return found->second;
  // Those of credentials that a reload has replaced.
  const auto old = Clock::now() - kForgottenAfter;
  std::erase_if(tokens, [&](const auto& entry) {
    return entry.second.use_count() == 1 && entry.second->is_idle_since(old);
  });
  return tokens.emplace(request->key, std::make_shared<TokenSource>(*this, request)).first->second;
}

bool Upstream::stop_tokens() {
  bool all = true;
  for (const auto& [key, source] : tokens) all &= source->stop();
  return all;
}

io::Task<Result<std::string>> TokenSource::get(io::Signal& interrupt) {
  const auto now = last_used_ = Clock::now();
  const bool usable = !token_.empty() && now < expires_;
  const bool rests = error_ && now < failed_at_ + kRetryAfter;
  if ((!usable || now >= renew_) && !fetching_ && !rests) {
    fetching_ = true;
    io::spawn(fetch());  // It may be over when this returns.
  }
  if (!token_.empty() && Clock::now() < expires_) co_return token_;
  if (fetching_) {
    waiters_.push_back(&interrupt);
    co_await interrupt;
    std::erase(waiters_, &interrupt);
    if (fetching_) co_return fail(ErrorKind::cancelled, "the request was ended");
  }
  if (!token_.empty() && Clock::now() < expires_) co_return token_;
  if (error_) co_return *error_;
  co_return fail(ErrorKind::credential, "the provider's access token has expired");
}

void TokenSource::reject(const std::string& token) {
  if (token_ == token) token_.clear();
}

bool TokenSource::stop() {
  if (call_) call_->abort(ErrorKind::cancelled);
  return !fetching_;
}

io::Task<void> TokenSource::fetch() {
  Result<Token> token = fail(ErrorKind::internal, "");
  try {
    if (request_->file.empty()) {
      token = co_await ask();
    } else {
      token = read_file();
    }
  } catch (const std::exception&) {
    token = fail(ErrorKind::credential, "the provider's access token cannot be had");
  }
  fetching_ = false;
  keep(std::move(token));
  // A waiter that goes on may end another one's wait, which then takes itself off the list.
  while (!waiters_.empty()) {
    io::Signal* waiter = waiters_.back();
    waiters_.pop_back();
    waiter->set();
  }
}

io::Task<Result<Token>> TokenSource::ask() {
  const auto request = request_;
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const auto form = request->make_form(now);
  if (!form) co_return form.error();
  const std::string head = "POST " + request->path + " HTTP/1.1\r\nhost: " + request->origin.host_field +
                           "\r\ncontent-type: application/x-www-form-urlencoded\r\nuser-agent: switchyard"
                           "\r\naccept: application/json\r\ncontent-length: " +
                           std::to_string(form->size()) + "\r\n\r\n";
  const std::vector<std::string_view> pieces{head, *form};
  HttpCall call(upstream_, request->origin);
  call_ = &call;
  call.set_deadline(ErrorKind::total_timeout, kFetchMax);
  const auto started = co_await call.start(pieces, kConnectMax);
  Result<io::ByteBuffer> body = fail(ErrorKind::internal, "");
  if (started) body = co_await call.read_all(kReplyBytesMax);
  call_ = nullptr;
  if (!started || !body) {
    co_return fail(ErrorKind::credential, "the provider's access token cannot be had: " +
                                              (started ? body.error() : started.error()).message);
  }
  co_return parse_token_reply(call.head().status, body->view());
}

Result<Token> TokenSource::read_file() const {
  std::ifstream file(request_->file, std::ios::binary);
  Token token;
  token.value.resize(kReplyBytesMax);
  file.read(token.value.data(), static_cast<std::streamsize>(token.value.size()));
  token.value.resize(static_cast<std::size_t>(file.gcount()));
  while (!token.value.empty() && token.value.back() <= ' ') token.value.pop_back();
  if (!config::is_field_text(token.value, 16u << 10)) {
    return fail(ErrorKind::credential, "the provider's token_file holds no token");
  }
  token.lifetime = kFileKept + kMargin;
  return token;
}

void TokenSource::keep(Result<Token> token) {
  const auto now = Clock::now();
  if (!token) {
    error_ = token.error();
    failed_at_ = now;
    return;
  }
  error_.reset();
  token_ = std::move(token->value);
  expires_ = now + std::max<Duration>(token->lifetime - kMargin, seconds(1));
  renew_ = std::max<TimePoint>(expires_ - kRenewAhead, now + (expires_ - now) / 2);
}

}  // namespace switchyard::upstream
