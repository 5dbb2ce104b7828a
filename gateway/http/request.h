#pragma once

#include "gateway/io/buffers.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::http {

// One request, read and checked. The head's text is owned here, so the read buffer is free for others.
class Request {
 public:
  std::string_view method() const { return view(method_); }

  // The path without the query, as sent: not percent-decoded.
  std::string_view path() const { return view(path_); }

  std::string_view query() const { return view(query_); }

  // The first field of that lower-case name; empty when absent.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;

  std::string_view body() const { return body_.view(); }

  std::size_t head_bytes() const { return text_.size(); }

  bool keep_alive() const { return keep_alive_; }

  bool is_http_1_0() const { return http_1_0_; }

  // Frees the body once nobody needs it again.
  void release_body() {
    body_bytes_ = body_.size();
    body_.release();
  }

  std::uint64_t body_bytes_read() const { return body_.size() > 0 ? body_.size() : body_bytes_; }

  io::ByteBuffer& body_buffer() { return body_; }

 private:
  friend class RequestParser;

  struct Slice {
    std::uint32_t begin = 0, size = 0;
  };

  std::string_view view(Slice slice) const { return std::string_view(text_).substr(slice.begin, slice.size); }

  Slice keep(std::string_view text);

  std::string text_;  // Names are kept in lower case.
  Slice method_, path_, query_;
  std::vector<std::pair<Slice, Slice>> fields_;
  io::ByteBuffer body_;
  std::uint64_t body_bytes_ = 0;
  bool keep_alive_ = true, http_1_0_ = false;
};

}  // namespace switchyard::http
