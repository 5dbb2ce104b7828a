#pragma once

#include "gateway/io/task.h"
#include "gateway/upstream/call.h"
#include "gateway/upstream/token_request.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::upstream {

// The access token of one provider, on one event loop: fetched when it is first needed, kept, and renewed
// before its time is over while the old one still serves. One fetch at a time; who comes meanwhile waits for
// it.
class TokenSource {
 public:
  TokenSource(Upstream& upstream, std::shared_ptr<const TokenRequest> request)
      : upstream_(upstream), request_(std::move(request)) {}

  TokenSource(const TokenSource&) = delete;
  TokenSource& operator=(const TokenSource&) = delete;

  // The token. Fails with credential when there is none to be had. Setting `interrupt` ends the wait, with
  // cancelled; it must be one that nobody else waits for.
  io::Task<Result<std::string>> get(io::Signal& interrupt);

  // The provider refused this token: it is not given again.
  void reject(const std::string& token);

  // Ends a fetch. True when none is under way: the source may go.
  bool stop();

  bool is_idle_since(TimePoint when) const { return !fetching_ && last_used_ < when; }

 private:
  io::Task<void> fetch();
  io::Task<Result<Token>> ask();
  Result<Token> read_file() const;
  void keep(Result<Token> token);

  Upstream& upstream_;
  std::shared_ptr<const TokenRequest> request_;
  std::string token_;
  TimePoint renew_{}, expires_{};  // Of token_.
  std::optional<Error> error_;     // Of the last fetch.
  TimePoint failed_at_{};
  TimePoint last_used_{};
  HttpCall* call_ = nullptr;  // While it is under way.
  bool fetching_ = false;
  std::vector<io::Signal*> waiters_;
};

}  // namespace switchyard::upstream
