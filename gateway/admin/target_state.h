#pragma once

#include "gateway/relay/snapshot.h"
#include "gateway/scoring/view.h"

#include <string_view>

namespace switchyard::admin {

// The state in which routing sees a target: what its own failures say of it and what its scores say, in one.
// The better a state, the lower its number.
enum class TargetState { serving, reduced, probation, ejected, cooling, credential_out, drained };
std::string_view name_of(TargetState state);

// `mode`: scores that are only watched count for nothing.
TargetState state_of(const relay::Target& target, const scoring::TargetView& view, config::QualityMode mode,
                     TimePoint now);

}  // namespace switchyard::admin
