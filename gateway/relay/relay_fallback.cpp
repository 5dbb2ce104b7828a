// The part of Relay that goes on under another model of the configuration when the one that was asked for
// cannot serve (config::Fallbacks).
#include "gateway/relay/relay.h"

#include <algorithm>

namespace switchyard::relay {

// Why a plan without attempts has none, for the caller.
Error Relay::nothing_serves(const routing::Plan& plan) const {
  const bool all_short =
      !plan.excluded.empty() && std::ranges::all_of(plan.excluded, [](const auto& excluded) {
        return excluded.reason == routing::Exclusion::no_room ||
               excluded.reason == routing::Exclusion::not_meant;
      });
  const bool has_no_room = all_short && std::ranges::any_of(plan.excluded, [](const auto& excluded) {
                             return excluded.reason == routing::Exclusion::no_room;
                           });
  if (has_no_room) {
    Error error = fail(ErrorKind::context_too_long, "the prompt is too long for every target of this model");
    error.code = "context_length_exceeded";
    return error;
  }
  Error error = fail(ErrorKind::unavailable, plan.is_full ? "every target has all the requests that it bears"
                                                          : "no target can serve this model now");
  error.retry_after = plan.is_full ? std::chrono::milliseconds(1000) : plan.retry_after;
  return error;
}

// Plans and tries; and once more under the fallback, where there is one for what came of it.
io::Task<void> Relay::serve() {
  do {
    const routing::Plan planned = plan();
    if (planned.attempts.empty()) {
      error_ = nothing_serves(planned);
    } else {
      co_await try_targets(planned);
    }
  } while (fall_back());
}

// True when the request goes on under another model. At most once a request; what was tried before is
// recorded as a decision of its own.
bool Relay::fall_back() {
  // Azure's filter refuses with an error, others with an answer that is none.
  const bool is_filtered =
      error_ && (error_->code == "content_filter" || error_->code == "content_policy_violation");
  const bool is_refused = is_filtered || (refusal_.is_refusal() && !error_);
  if (committed_ || ended_ || !fallback_from_.empty() || (!error_ && !is_refused)) return false;
  const config::Fallbacks& fallbacks = model_->config->fallbacks;
  const std::string& name = is_refused ? routing::fallback_model_for_refusal(fallbacks)
                                       : routing::fallback_model(fallbacks, *error_);
  const Model* const next = name.empty() ? nullptr : snapshot_->find(name);
  if (!next) return false;
  // What was tried and failed is tried again elsewhere: a retry like any other.
  const bool is_retry = !is_refused && attempts_ > 0 && error_->kind != ErrorKind::context_too_long;
  if (is_retry && !context_.retry_budget.try_retry(Clock::now())) return false;
  record_decision(is_refused ? telemetry::Outcome::ok : telemetry::outcome_of(error_->kind));
  context_.log.write(config::LogLevel::debug, "fallback",
                     {{"request_id", caller_.request_id},
                      {"from", model_->config->name},
                      {"to", name},
                      {"reason", is_refused ? std::string_view("refusal") : name_of(error_->kind)}});
  fallback_from_ = model_->config->name;
  fallback_name_ = name;
  model_ = next;
  attempts_before_ = attempts_;
  refusal_ = {};
  error_.reset();
  usage_.reset();
  return true;
}

}  // namespace switchyard::relay
