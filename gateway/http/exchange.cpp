#include "gateway/http/exchange.h"

#include <array>
#include <charconv>
#include <ctime>

namespace switchyard::http {

namespace {

// IMF-fixdate of RFC 9110 5.6.7, made once a second.
std::string_view date_field() {
  thread_local std::time_t made_at = 0;
  thread_local std::array<char, 48> text{};
  thread_local std::size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    size = std::strftime(text.data(), text.size(), "date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    made_at = now;
  }
  return {text.data(), size};
}

constexpr std::string_view kComment = ": waiting\n\n";
constexpr std::string_view kCommentChunk = "b\r\n: waiting\n\n\r\n";

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 529:
      return "Overloaded";
    default:
      return "Unknown";
  }
}

Exchange::Exchange(io::Socket& socket, io::Deadlines& deadlines, Request& request, bool close_after)
    : socket_(socket),
      request_(request),
      timer_(deadlines, &Exchange::timer, this),
      look_again_(deadlines, &Exchange::look_again, this),
      must_close_(close_after || !request.keep_alive()) {}

Exchange::~Exchange() {
  socket_.clear_watch();
}

void Exchange::append_head(std::string& head, int status, std::string_view fields) const {
  head += "HTTP/1.1 ";
  head += std::to_string(status);
  head += ' ';
  head += reason_phrase(status);
  head += "\r\n";
  head += date_field();
  head += fields;
  if (must_close_) {
    head += "connection: close\r\n";
  } else if (request_.is_http_1_0()) {
    head += "connection: keep-alive\r\n";
  }
}

io::Task<bool> Exchange::send(std::span<const std::string_view> pieces) {
  if (gone_) co_return false;
  writing_ = true;
  io::error_code error;
  if (!unsent_.empty()) {
    const std::string rest = std::move(unsent_);
    unsent_.clear();
    const std::array<std::string_view, 1> first{rest};
    error = co_await socket_.write_all(first);
  }
  if (!error) error = co_await socket_.write_all(pieces);
  writing_ = false;
  if (error) {
    gone_ = true;
    co_return false;
  }
  for (const std::string_view piece : pieces) bytes_out_ += piece.size();
  if (streaming_ && timer_.is_armed()) timer_.arm_in(heartbeat_);
  co_return true;
}

io::Task<bool> Exchange::reply(int status, std::string_view content_type, std::string_view fields,
                               std::string_view body) {
  replied_ = true;
  status_ = status;
  std::string head;
  head.reserve(512);
  append_head(head, status, fields);
  if (!content_type.empty()) {
    head += "content-type: ";
    head += content_type;
    head += "\r\n";
  }
  if (status != 204) {
    head += "content-length: ";
    head += std::to_string(body.size());
    head += "\r\n";
  }
  head += "\r\n";
  const bool send_body = request_.method() != "HEAD" && status != 204;
  const std::array<std::string_view, 2> pieces{head, send_body ? body : std::string_view()};
  timer_.arm_in(kReplyTaken);
  const bool sent = co_await send(pieces);
  timer_.disarm();
  co_return sent;
}

void Exchange::begin_stream(std::string_view fields, StreamKind kind) {
  kind_ = kind;
  replied_ = streaming_ = true;
  status_ = 200;
  // Without chunks (HTTP/1.0) the stream's end is the connection's.
  if (request_.is_http_1_0()) must_close_ = true;
  std::string head;
  head.reserve(512);
  append_head(head, 200, fields);
  head += kind == StreamKind::json ? "content-type: application/json\r\n"
                                   : "content-type: text/event-stream; charset=utf-8\r\n";
  head += "cache-control: no-cache\r\nx-accel-buffering: no\r\n";
  if (!request_.is_http_1_0()) head += "transfer-encoding: chunked\r\n";
  head += "\r\n";
  unsent_ = std::move(head);
}

io::Task<bool> Exchange::write(std::span<const std::string_view> pieces) {
  std::size_t total = 0;
  for (const std::string_view piece : pieces) total += piece.size();
  if (total == 0) co_return !gone_;
  if (request_.is_http_1_0()) co_return co_await send(pieces);
  std::array<char, 20> size_line;
  const auto [end, unused] = std::to_chars(size_line.data(), size_line.data() + 16, total, 16);
  end[0] = '\r';
  end[1] = '\n';
  std::array<std::string_view, 18> few;
  std::vector<std::string_view> many;
  std::span<std::string_view> framed;
  if (pieces.size() + 2 + 1 <= few.size()) {
    framed = std::span(few).first(pieces.size() + 3);
  } else {
    many.resize(pieces.size() + 3);
    framed = many;
  }
  // The head or a comment that waits goes first, in the same call.
  std::string waiting = std::move(unsent_);
  unsent_.clear();
  framed[0] = waiting;
  framed[1] = {size_line.data(), static_cast<std::size_t>(end + 2 - size_line.data())};
  std::copy(pieces.begin(), pieces.end(), framed.begin() + 2);
  framed.back() = "\r\n";
  co_return co_await send(framed);
}

io::Task<bool> Exchange::end_stream() {
  timer_.disarm();
  const std::array<std::string_view, 1> last{request_.is_http_1_0() ? "" : "0\r\n\r\n"};
  co_return co_await send(last);
}

void Exchange::on_gone(void (*callback)(void*), void* context) {
  gone_callback_ = callback;
  gone_context_ = context;
  socket_.watch(&Exchange::readable, this);
}

void Exchange::clear_on_gone() {
  gone_callback_ = nullptr;
  look_again_.disarm();
  socket_.clear_watch();
}

void Exchange::readable(void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  switch (exchange.socket_.peek()) {
    case io::Socket::Peer::silent:  // Not the client itself spoke but its TLS.
      return exchange.socket_.watch(&Exchange::readable, self);
    case io::Socket::Peer::speaking:
      // The next request is there already and waits for its turn; the socket stays readable whatever follows
      // it.
      return exchange.look_again_.arm_in(kLookAgain);
    case io::Socket::Peer::closed:
      return exchange.left();
  }
}

void Exchange::look_again(void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  if (exchange.socket_.has_closed_behind()) return exchange.left();
  exchange.look_again_.arm_in(kLookAgain);
}

void Exchange::left() {
  abandon();
  if (auto* callback = std::exchange(gone_callback_, nullptr)) callback(gone_context_);
}

void Exchange::abandon() {
  gone_ = true;
  socket_.close();
}

void Exchange::start_heartbeat(Duration silence) {
  heartbeat_ = silence;
  timer_.arm_in(heartbeat_);
}

void Exchange::timer(void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  if (!exchange.streaming_) return exchange.abandon();
  exchange.timer_.arm_in(exchange.heartbeat_);
  exchange.send_comment();
}

void Exchange::send_comment() {
  // A write in progress means that the client does not read: its buffer is not silent.
  if (!streaming_ || writing_ || gone_) return;
  if (kind_ == StreamKind::json) {
    unsent_ += request_.is_http_1_0() ? " " : "1\r\n \r\n";
  } else {
    unsent_ += request_.is_http_1_0() ? kComment : kCommentChunk;
  }
  const auto sent = socket_.try_write(unsent_);
  if (sent.error) return;
  bytes_out_ += sent.bytes;
  unsent_.erase(0, sent.bytes);
}

}  // namespace switchyard::http
