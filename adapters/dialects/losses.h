#pragma once

#include "adapters/canonical/request.h"
#include "adapters/canonical/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace switchyard {

// True for a field that tunes, accounts or caches: an answer without it is no wrong answer.
bool is_harmless_loss(std::string_view field);

// What becomes of the caller's fields that the canonical request cannot hold: harmless ones are added to
// `dropped`; the first other one fails with unsupported.
Result<> drop_unmapped(const ChatRequest& request, std::vector<std::string>& dropped);

}  // namespace switchyard
