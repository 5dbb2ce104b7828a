#pragma once

#include "adapters/dialects/reply_tap.h"
#include "adapters/dialects/walk.h"

namespace switchyard::openai {

// Walks the choices of a whole chat or text completion, in a list: each on its own. `tap` hears the first, or
// is null.
simdjson::error_code walk_choices(simdjson::ondemand::value value, ReplyTap* tap, bool& has_some);

}  // namespace switchyard::openai
