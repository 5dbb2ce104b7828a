#pragma once

#include "config/config.h"

#include <cstdint>

namespace switchyard {

// Raises the process's soft limit of file descriptors to the hard one; returns the limit now in force.
std::uint64_t raise_descriptor_limit();

// The most client connections that `descriptors` allow, of those wanted: a request through the gateway needs
// one toward the provider too, so at most half. Never below 1.
int connections_within(std::uint64_t descriptors, int wanted);

}  // namespace switchyard
