#include "gateway/http/request_parser.h"

#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cctype>

namespace switchyard::http {

namespace beast_http = boost::beast::http;

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

// uri-host [":" port] of RFC 9110 7.2: what a host may be made of, not whether it exists.
bool is_host(std::string_view value) {
  if (value.empty()) return false;
  if (value.front() == '[') {
    const auto end = value.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const auto literal = value.substr(1, end - 1);
    if (!std::ranges::all_of(literal,
                             [](unsigned char c) { return std::isxdigit(c) || c == ':' || c == '.'; })) {
      return false;
    }
    value.remove_prefix(end + 1);
    if (value.empty()) return true;
    if (value.front() != ':') return false;
  } else if (const auto colon = value.find(':'); colon != std::string_view::npos) {
    const auto name = value.substr(0, colon);
    if (name.empty() || !is_host(name)) return false;
    value.remove_prefix(colon);
  } else {
    return std::ranges::all_of(value, [](unsigned char c) {
      return std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '%';
    });
  }
  value.remove_prefix(1);
  return value.size() <= 5 && std::ranges::all_of(value, [](unsigned char c) { return std::isdigit(c); });
}

// True for a request line that is well-formed but for its version: "GET / HTTP/2.0".
bool names_version(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find("\r\n"));
  const auto last_space = line.rfind(' ');
  if (last_space == std::string_view::npos || std::ranges::count(line, ' ') != 2) return false;
  const std::string_view version = line.substr(last_space + 1);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.' &&
         is_digit(version[7]);
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (view(key) == name) return view(value);
  }
  return {};
}

bool Request::has_header(std::string_view name) const {
  return std::ranges::any_of(fields_, [&](const auto& field) { return view(field.first) == name; });
}

Request::Slice Request::keep(std::string_view text) {
  const Slice slice{static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(text.size())};
  text_ += text;
  return slice;
}

RequestParser::RequestParser(Request& request, std::uint32_t header_bytes_max, std::uint64_t body_bytes_max)
    : request_(request), header_bytes_max_(header_bytes_max), body_bytes_max_(body_bytes_max) {
  header_limit(header_bytes_max);
  body_limit(
      boost::none);  // Content-Length is checked in the head, chunks as they come: each with its own answer.
  eager(false);
  request_.text_.reserve(1024);
  request_.fields_.reserve(24);
}

void RequestParser::refuse(int status, std::string_view message, error_code& error) {
  refused_ = Refusal{status, message};
  error = beast_http::error::bad_value;
}

std::size_t RequestParser::feed(std::string_view bytes) {
  std::size_t used = 0;
  input_ = bytes;
  if (!is_header_done() && !skipped_empty_line_ && !got_some()) {
    // RFC 9112 2.2: one empty line before the request line is ignored.
    if (bytes.starts_with("\r\n")) {
      used = 2;
      skipped_empty_line_ = true;
    } else if (bytes == "\r") {
      return 0;
    }
  }
  while (used < bytes.size() && !is_done()) {
    if (is_header_done() && !is_chunked_) break;
    // Beast asserts that a last chunk comes in one piece when it is the only one.
    const bool may_be_last = is_header_done() && chunk_left_ == 0 && bytes[used] == '0';
    if (may_be_last && bytes.size() - used < std::string_view("0\r\n\r\n").size()) break;
    error_code error;
    used += put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    if (error == beast_http::error::need_more) break;
    if (error && !refused_) {
      if (error == beast_http::error::header_limit || error == beast_http::error::buffer_overflow) {
        refused_ = Refusal{431, "the request head is too large"};
      } else if (error == beast_http::error::bad_version && names_version(bytes.substr(used))) {
        refused_ = Refusal{505, "only HTTP/1.1 and HTTP/1.0 are served"};
      } else {
        refused_ = Refusal{400, "malformed HTTP request"};
      }
    }
    if (refused_) break;
  }
  return used;
}

bool RequestParser::is_done() const {
  if (!is_header_done()) return false;
  if (is_chunked_) return Base::is_done();
  return body_bytes_left() == 0;
}

std::uint64_t RequestParser::body_bytes_left() const {
  return content_length_ ? *content_length_ - request_.body_.size() : 0;
}

bool RequestParser::set_target(string_view target) {
  std::string_view text(target.data(), target.size());
  if (!text.starts_with('/')) {
    // RFC 9112 3.2.2: a server takes the absolute form too. Its authority takes no part in anything.
    const std::size_t scheme = equals_ignoring_case(text.substr(0, 7), "http://")    ? 7
                               : equals_ignoring_case(text.substr(0, 8), "https://") ? 8
                                                                                     : 0;
    if (scheme == 0) return text == "*" ? (request_.path_ = request_.keep("*"), true) : false;
    const auto slash = text.find_first_of("/?", scheme);
    if (slash == scheme || text.size() == scheme) return false;
    text = slash == std::string_view::npos ? std::string_view("/") : text.substr(slash);
  }
  if (text.find('#') != std::string_view::npos) return false;
  const auto question = text.find('?');
  request_.path_ = request_.keep(text.substr(0, question));
  if (question != std::string_view::npos) request_.query_ = request_.keep(text.substr(question + 1));
  return true;
}

void RequestParser::on_request_impl(beast_http::verb, string_view method, string_view target, int version,
                                    error_code& error) {
  request_.method_ = request_.keep(std::string_view(method.data(), method.size()));
  request_.http_1_0_ = version == 10;
  if (version != 10 && version != 11) return refuse(505, "only HTTP/1.1 and HTTP/1.0 are served", error);
  if (!set_target(target)) return refuse(400, "malformed request target", error);
}

// A value that was put together of several lines lies in memory of Beast; one whose first line was empty lies
// in the input, but behind a line's end.
bool RequestParser::is_folded(string_view name, string_view value) const {
  const char* const end = input_.data() + input_.size();
  if (value.data() < input_.data() || value.data() > end) return !value.empty();
  const char* const name_end = name.data() + name.size();
  return name_end < value.data() && std::find(name_end, value.data(), '\n') != value.data();
}

void RequestParser::on_field_impl(field name, string_view name_text, string_view value, error_code& error) {
  if (is_header_done()) return refuse(400, "trailer fields are not accepted", error);
  const std::string_view text(value.data(), value.size());
  if (is_folded(name_text, value)) return refuse(400, "folded header lines are not accepted", error);
  const auto key = request_.keep(std::string_view(name_text.data(), name_text.size()));
  std::transform(request_.text_.begin() + key.begin, request_.text_.end(), request_.text_.begin() + key.begin,
                 lower);
  request_.fields_.emplace_back(key, request_.keep(text));
  // Beast's limit is on the part that it has not yet taken in: a head that drips in field by field passes it.
  if (request_.text_.size() > header_bytes_max_) return refuse(431, "the request head is too large", error);
  if (request_.fields_.size() > 256) return refuse(431, "too many header fields", error);
  if (name == field::host) {
    ++hosts_;
    if (!is_host(text)) return refuse(400, "malformed Host field", error);
  } else if (name == field::transfer_encoding) {
    ++transfer_encodings_;
    if (!equals_ignoring_case(text, "chunked"))
      return refuse(501, "only the chunked transfer coding is served", error);
  } else if (name == field::expect) {
    if (!equals_ignoring_case(text, "100-continue")) return refuse(417, "unknown expectation", error);
    expects_continue_ = !request_.http_1_0_;  // RFC 9110 10.1.1: such a client would not know the answer.
  } else if (name == field::content_length) {
    // Beast takes the same number several times over, in one field or in more.
    if (++lengths_ > 1 || text.find(',') != std::string_view::npos) {
      return refuse(400, "more than one Content-Length", error);
    }
  }
}

void RequestParser::on_header_impl(error_code& error) {
  if (hosts_ > 1) return refuse(400, "more than one Host field", error);
  if (hosts_ == 0 && !request_.http_1_0_) return refuse(400, "no Host field", error);
  const auto length = content_length();
  if (transfer_encodings_ > 0) {
    if (transfer_encodings_ > 1) return refuse(400, "more than one Transfer-Encoding field", error);
    if (length || request_.has_header("content-length")) {
      return refuse(400, "Content-Length beside Transfer-Encoding", error);
    }
    if (request_.http_1_0_) return refuse(400, "Transfer-Encoding in HTTP/1.0", error);
    is_chunked_ = true;
  } else {
    content_length_ = length ? *length : 0;
    if (*content_length_ > body_bytes_max_) return refuse(413, "the request body is too large", error);
  }
  request_.keep_alive_ = Base::keep_alive();
}

std::size_t RequestParser::on_body_impl(string_view, error_code& error) {
  refuse(400, "malformed HTTP request", error);  // Bodies with a length never pass through the parser.
  return 0;
}

void RequestParser::on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& error) {
  if (!extensions.empty()) return refuse(400, "chunk extensions are not accepted", error);
  if (size > body_bytes_max_ - std::min<std::uint64_t>(request_.body_.size(), body_bytes_max_)) {
    return refuse(413, "the request body is too large", error);
  }
  chunk_left_ = size;
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, string_view body, error_code&) {
  chunk_left_ -= body.size();
  request_.body_.append(std::string_view(body.data(), body.size()));
  return body.size();
}

}  // namespace switchyard::http
