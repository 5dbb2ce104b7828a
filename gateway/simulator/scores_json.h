#pragma once

#include "config/config.h"
#include "gateway/scoring/view.h"
#include "gateway/simulator/plan_input.h"

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::simulator {

// Reads what GET /admin/providers gives, for the targets of one model: by score id. Targets that are not in
// it have the defaults. Fails with invalid_request and says what is wrong.
Result<scoring::BoardView> scores_from_json(std::string_view text, std::string_view model,
                                            const std::vector<SimTarget>& targets);

}  // namespace switchyard::simulator
