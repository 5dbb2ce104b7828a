#pragma once

#include "gateway/scoring/feedback.h"
#include "gateway/scoring/watch_memory.h"

#include <mutex>
#include <string_view>

namespace switchyard::relay {

// Where what callers say of answers comes in: one for all workers and all configurations of a process. The
// requests are noted without a lock; a judgement, which is rare, takes one.
class FeedbackDesk {
 public:
  void note(std::string_view request_id, const scoring::ServedRequest& request) {
    served_.add(scoring::hash_of(request_id), request);
  }

  std::optional<scoring::ServedRequest> find(std::string_view request_id) const {
    return served_.find(scoring::hash_of(request_id));
  }

  // Whether a judgement of that request is evidence; `now_ms` of the steady clock.
  scoring::FeedbackGate::Ruling rule(std::string_view request_id, const scoring::ServedRequest& request,
                                     std::int64_t now_ms) {
    const std::scoped_lock lock(mutex_);
    return gate_.rule(request, scoring::hash_of(request_id), now_ms);
  }

 private:
  scoring::ServedRequests served_;
  std::mutex mutex_;  // Guards the gate.
  scoring::FeedbackGate gate_;
};

}  // namespace switchyard::relay
