#pragma once

#include "gateway/http/request.h"
#include "gateway/io/deadline.h"
#include "gateway/io/socket.h"
#include "gateway/io/task.h"

#include <span>
#include <string>
#include <string_view>

namespace switchyard::http {

// One request of one connection, and the reply to it. A reply is either whole (reply()) or a stream
// (begin_stream(), write(), end_stream()). Every task returns false once the client is gone.
class Exchange {
 public:
  // How long a stream may be silent before it carries a comment, so that nothing on the way cuts it.
  static constexpr std::chrono::seconds kHeartbeat{15};
  static constexpr std::chrono::milliseconds kLookAgain{250};
  // How long a client may take to read a whole reply before it is given up.
  static constexpr std::chrono::minutes kReplyTaken{5};

  Exchange(io::Socket& socket, io::Deadlines& deadlines, Request& request, bool close_after);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Request& request() { return request_; }

  // A whole reply. `fields`: further header lines, each ended by CRLF.
  io::Task<bool> reply(int status, std::string_view content_type, std::string_view fields,
                       std::string_view body);

  // The head of a stream; it goes out with the first frame or comment. In a stream of JSON, which has no
  // comments, white space fills the silence.
  enum class StreamKind { server_sent_events, json };
  void begin_stream(std::string_view fields, StreamKind kind = StreamKind::server_sent_events);
  // Whole frames, all of them sent in one go. Waits while the client does not read.
  io::Task<bool> write(std::span<const std::string_view> pieces);
  // The proper end of the stream. A stream that broke ends without it: break_stream().
  io::Task<bool> end_stream();

  void break_stream() { must_close_ = true; }

  // Calls `callback(context)` once when the client leaves while its reply is being made.
  void on_gone(void (*callback)(void*), void* context);
  void clear_on_gone();
  // Sends a comment into the stream whenever it has been silent for that long.
  void start_heartbeat(Duration silence = kHeartbeat);
  // Sends one now, if the kernel takes it.
  void send_comment();

  bool is_writing() const { return writing_; }

  bool is_gone() const { return gone_; }

  bool has_replied() const { return replied_; }

  bool is_streaming() const { return streaming_; }

  int status() const { return status_; }

  std::uint64_t bytes_out() const { return bytes_out_; }

  bool must_close() const { return must_close_ || gone_; }

  // Ends the connection under a reply that waits for the client to read.
  void abandon();

 private:
  void append_head(std::string& head, int status, std::string_view fields) const;
  io::Task<bool> send(std::span<const std::string_view> pieces);
  static void readable(void* self);
  static void look_again(void* self);
  static void timer(void* self);
  void left();

  io::Socket& socket_;
  Request& request_;
  io::Deadline timer_;       // The next comment of a stream; the end of patience for a whole reply.
  io::Deadline look_again_;  // While the next request lies unread in front of what tells that a client left.
  void (*gone_callback_)(void*) = nullptr;
  void* gone_context_ = nullptr;
  std::string unsent_;  // The rest of a comment that the kernel took only in part.
  std::uint64_t bytes_out_ = 0;
  int status_ = 0;
  Duration heartbeat_ = kHeartbeat;
  StreamKind kind_ = StreamKind::server_sent_events;
  bool must_close_, gone_ = false, replied_ = false, streaming_ = false, writing_ = false;
};

// What answers requests. One object serves every connection of an event loop.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual io::Task<void> handle(Exchange& exchange) = 0;
  // The body of a reply to a request that could not be read: JSON in the dialect that the path tells, if it
  // does.
  virtual std::string refusal_body(int status, std::string_view path, std::string_view message) const = 0;
};

// The reason phrase of RFC 9110 15, or "Unknown".
std::string_view reason_phrase(int status);

}  // namespace switchyard::http
