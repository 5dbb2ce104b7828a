#pragma once

#include <string>

namespace switchyard {

// `switchyard serve`: runs the gateway until it is told to stop. `config_path` empty: the embedded default.
// Returns the exit code.
int serve(const std::string& config_path);

// `switchyard check`: prints every problem and every warning; 0 when there is no problem, 1 otherwise.
int check(const std::string& config_path);

}  // namespace switchyard
