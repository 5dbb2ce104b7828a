#pragma once

#include "gateway/http/request.h"

#include <boost/beast/http/basic_parser.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard::http {

// Reads one HTTP/1.1 request (RFC 9110, RFC 9112) with Beast's parser, and refuses what that leaves to its
// user: a Transfer-Encoding that is not exactly one `chunked` (its body would become the next request), one
// beside a Content-Length or in HTTP/1.0, a repeated Content-Length, chunk extensions, trailers, folded
// lines, a Host that is missing, doubled or malformed, an Expect other than 100-continue.
class RequestParser : private boost::beast::http::basic_parser<true> {
 public:
  RequestParser(Request& request, std::uint32_t header_bytes_max, std::uint64_t body_bytes_max);

  // Takes bytes of the head or of a chunked body; returns how many it used. Call again with the rest and more
  // behind it. After refused() is set, or is_done(), call it no more.
  std::size_t feed(std::string_view bytes);

  bool is_head_done() const { return is_header_done(); }

  // Head and body are complete.
  bool is_done() const;
  // For a body with a Content-Length: how much is still to be read, straight into the request's body buffer.
  std::uint64_t body_bytes_left() const;

  bool has_content_length() const { return content_length_.has_value(); }

  bool expects_continue() const { return expects_continue_; }

  struct Refusal {
    int status = 0;
    std::string_view message;
  };

  // Set once the request cannot be served; the connection must close after the reply.
  const std::optional<Refusal>& refused() const { return refused_; }

 private:
  using Base = boost::beast::http::basic_parser<true>;
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  using field = boost::beast::http::field;

  void on_request_impl(boost::beast::http::verb, string_view method, string_view target, int version,
                       error_code& error) override;

  void on_response_impl(int, string_view, int, error_code&) override {}

  void on_field_impl(field name, string_view name_text, string_view value, error_code& error) override;
  void on_header_impl(error_code& error) override;

  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}

  std::size_t on_body_impl(string_view body, error_code& error) override;
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view body, error_code& error) override;

  void on_finish_impl(error_code&) override {}

  bool is_folded(string_view name, string_view value) const;
  void refuse(int status, std::string_view message, error_code& error);
  bool set_target(string_view target);

  Request& request_;
  std::uint32_t header_bytes_max_;
  std::uint64_t body_bytes_max_;
  std::optional<std::uint64_t> content_length_;
  std::optional<Refusal> refused_;
  std::string_view input_;        // What feed() was given.
  std::uint64_t chunk_left_ = 0;  // Of the chunk that is being read; 0 between chunks.
  int hosts_ = 0, transfer_encodings_ = 0, lengths_ = 0;
  bool is_chunked_ = false, expects_continue_ = false, skipped_empty_line_ = false;
};

}  // namespace switchyard::http
