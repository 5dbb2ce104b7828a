#pragma once

#include <string_view>

namespace switchyard::config {

// The text of adapters/providers/providers.yaml as it was when the program was built.
std::string_view provider_table();

}  // namespace switchyard::config
