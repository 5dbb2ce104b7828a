#include "gateway/admin/target_state.h"

#include <algorithm>

namespace switchyard::admin {

std::string_view name_of(TargetState state) {
  switch (state) {
    case TargetState::serving:
      return "serving";
    case TargetState::reduced:
      return "reduced";
    case TargetState::probation:
      return "probation";
    case TargetState::ejected:
      return "ejected";
    case TargetState::cooling:
      return "cooling";
    case TargetState::credential_out:
      return "credential_out";
    case TargetState::drained:
      return "drained";
  }
  return "unknown";
}

namespace {

TargetState of_health(routing::State state) {
  switch (state) {
    case routing::State::serving:
      return TargetState::serving;
    case routing::State::probation:
      return TargetState::probation;
    case routing::State::ejected:
      return TargetState::ejected;
    case routing::State::cooling:
      return TargetState::cooling;
    case routing::State::credential_out:
      return TargetState::credential_out;
  }
  return TargetState::serving;
}

TargetState of_scores(scoring::State state) {
  switch (state) {
    case scoring::State::serving:
      return TargetState::serving;
    case scoring::State::reduced:
      return TargetState::reduced;
    case scoring::State::probation:
      return TargetState::probation;
    case scoring::State::ejected:
      return TargetState::ejected;
    case scoring::State::drained:
      return TargetState::drained;
  }
  return TargetState::serving;
}

}  // namespace

TargetState state_of(const relay::Target& target, const scoring::TargetView& view, config::QualityMode mode,
                     TimePoint now) {
  const TargetState health = of_health(target.health->snapshot(now).state);
  const bool counts = mode == config::QualityMode::act || view.state == scoring::State::drained;
  return counts ? std::max(health, of_scores(view.state)) : health;
}

}  // namespace switchyard::admin
