#pragma once

#include "adapters/canonical/result.h"
#include "config/config.h"

#include <string_view>

namespace switchyard::relay {

// A provider may repeat the credential in its message, and some messages are passed on to the caller: takes
// `words` out of every text of the error.
void hide(std::string_view words, Error& error);

// The same for everything secret of the provider's configuration.
void hide(const config::Provider& provider, Error& error);

}  // namespace switchyard::relay
