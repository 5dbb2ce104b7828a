#pragma once

#include "gateway/routing/rate_headers.h"

#include <boost/beast/http/basic_parser.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::upstream {

// What of a provider's head matters here; nothing else of it goes anywhere.
struct ResponseHead {
  int status = 0;
  bool is_event_stream = false;      // text/event-stream
  bool is_aws_event_stream = false;  // application/vnd.amazon.eventstream
  bool is_encoded = false;           // A Content-Encoding that was not asked for.
  std::optional<std::chrono::milliseconds> retry_after;
  routing::RateHeaders rate;  // What is left of the provider's limits.
  std::string request_id;     // The provider's, for the log; printable, at most 128 bytes.
};

// Reads one HTTP/1.1 response with Beast's parser. Refuses what would let a provider's reply be read in two
// ways: a Transfer-Encoding that is not exactly one `chunked`, or one beside a Content-Length.
class ResponseParser : private boost::beast::http::basic_parser<false> {
 public:
  static constexpr std::uint32_t kHeadBytesMax = 64u << 10;

  ResponseParser();

  // Takes bytes and appends views into `bytes` of the body's pieces; returns how many bytes it used; the
  // call that ends the head stops behind it. Call again with the rest and more behind it. After has_failed()
  // or is_done(), call it no more.
  std::size_t feed(std::string_view bytes, std::vector<std::string_view>& body);
  // The connection has ended; true when that is the proper end of the response.
  bool finish();

  bool is_head_done() const { return is_header_done(); }

  bool is_done() const { return Base::is_done(); }

  bool has_started() const { return got_some(); }

  bool has_failed() const { return failed_; }

  // The connection can carry another request after this response.
  bool is_reusable() const { return is_done() && keep_alive(); }

  const ResponseHead& head() const { return head_; }

 private:
  using Base = boost::beast::http::basic_parser<false>;
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  using field = boost::beast::http::field;

  void on_request_impl(boost::beast::http::verb, string_view, string_view, int, error_code&) override {}

  void on_response_impl(int status, string_view reason, int version, error_code& error) override;
  void on_field_impl(field name, string_view name_text, string_view value, error_code& error) override;
  void on_header_impl(error_code& error) override;

  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}

  std::size_t on_body_impl(string_view body, error_code& error) override;
  void on_chunk_header_impl(std::uint64_t, string_view extensions, error_code& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view body, error_code& error) override;

  void on_finish_impl(error_code&) override {}

  ResponseHead head_;
  std::vector<std::string_view>* body_ = nullptr;
  std::size_t head_bytes_ = 0;
  std::uint64_t chunk_left_ = 0;  // Of the chunk that is being read; 0 between chunks.
  int transfer_encodings_ = 0;
  bool has_length_ = false, failed_ = false;
};

}  // namespace switchyard::upstream
