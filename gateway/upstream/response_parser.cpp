#include "gateway/upstream/response_parser.h"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

namespace switchyard::upstream {

namespace beast = boost::beast;

namespace {

// What the names of all rate limits' fields hold; few others do.
bool may_be_rate_limit(std::string_view name) {
  return name.size() > 16 &&
         beast::iequals(name.substr(name[0] == 'x' || name[0] == 'X' ? 2 : 10, 9), "ratelimit");
}

std::int64_t wall_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Retry-After of RFC 9110 10.2.3: seconds (providers send fractions too) or an HTTP date.
std::optional<std::chrono::milliseconds> parse_retry_after(const std::string& text, double unit_ms) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) {
    if (!std::isfinite(value) || value < 0) return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(value * unit_ms, 86'400'000.0)));
  }
  std::tm utc{};
  const char* rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  if (!rest || *rest != '\0') return std::nullopt;
  const auto seconds = ::timegm(&utc) - std::time(nullptr);
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, 86'400));
}

}  // namespace

ResponseParser::ResponseParser() {
  header_limit(kHeadBytesMax);
  body_limit(boost::none);  // Bounded by whoever reads the body: by the event in a stream, in all otherwise.
  eager(false);
}

std::size_t ResponseParser::feed(std::string_view bytes, std::vector<std::string_view>& body) {
  body_ = &body;
  std::size_t used = 0;
  const bool in_head = !is_header_done();
  while (used < bytes.size() && !is_done() && !(in_head && is_header_done())) {
    // Beast asserts that a last chunk comes in one piece when it is the only one.
    const bool may_be_last = is_header_done() && chunked() && chunk_left_ == 0 && bytes[used] == '0';
    if (may_be_last && bytes.size() - used < std::string_view("0\r\n\r\n").size()) break;
    error_code error;
    used += put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    if (error == beast::http::error::need_more) break;
    if (error) {
      failed_ = true;
      break;
    }
  }
  body_ = nullptr;
  return used;
}

bool ResponseParser::finish() {
  if (is_done()) return true;
  if (failed_ || !got_some() || !is_header_done()) return false;
  error_code error;
  put_eof(error);
  return !error;
}

void ResponseParser::on_response_impl(int status, string_view, int, error_code&) {
  head_.status = status;
}

void ResponseParser::on_field_impl(field name, string_view name_text, string_view value, error_code& error) {
  head_bytes_ += name_text.size() + value.size() + 4;
  if (head_bytes_ > kHeadBytesMax) {
    error = beast::http::error::header_limit;
    return;
  }
  if (is_header_done()) return;  // Trailers say nothing that is used here; they count against the limit.
  if (name == field::content_type) {
    head_.is_event_stream = beast::iequals(value.substr(0, 17), "text/event-stream");
    head_.is_aws_event_stream = beast::iequals(value.substr(0, 34), "application/vnd.amazon.eventstream");
  } else if (name == field::content_encoding) {
    head_.is_encoded = !beast::iequals(value, "identity");
  } else if (name == field::content_length) {
    has_length_ = true;
  } else if (name == field::transfer_encoding) {
    ++transfer_encodings_;
    if (!beast::iequals(value, "chunked")) error = beast::http::error::bad_transfer_encoding;
  } else if (name == field::retry_after) {
    if (!head_.retry_after) head_.retry_after = parse_retry_after(std::string(value), 1000);
  } else if (beast::iequals(name_text, "retry-after-ms")) {
    if (const auto parsed = parse_retry_after(std::string(value), 1)) head_.retry_after = parsed;
  } else if (beast::iequals(name_text, "x-request-id") || beast::iequals(name_text, "request-id")) {
    head_.request_id.clear();
    for (const char c : value.substr(0, 128)) {
      if (c > ' ' && c < 127 && c != '"' && c != '\\') head_.request_id += c;
    }
  } else if (name == field::unknown && may_be_rate_limit({name_text.data(), name_text.size()})) {
    routing::read_rate_header({name_text.data(), name_text.size()}, {value.data(), value.size()}, wall_ms(),
                              head_.rate);
  }
}

void ResponseParser::on_header_impl(error_code& error) {
  if (transfer_encodings_ > 1 || (transfer_encodings_ == 1 && has_length_)) {
    error = beast::http::error::bad_transfer_encoding;
  }
}

std::size_t ResponseParser::on_body_impl(string_view body, error_code&) {
  if (!body.empty()) body_->emplace_back(body.data(), body.size());
  return body.size();
}

void ResponseParser::on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& error) {
  chunk_left_ = size;
  head_bytes_ += extensions.size();
  if (head_bytes_ > kHeadBytesMax) error = beast::http::error::header_limit;
}

std::size_t ResponseParser::on_chunk_body_impl(std::uint64_t, string_view body, error_code&) {
  chunk_left_ -= body.size();
  if (!body.empty()) body_->emplace_back(body.data(), body.size());
  return body.size();
}

}  // namespace switchyard::upstream
