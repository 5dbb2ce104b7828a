#pragma once

#include "adapters/crypto/sha256.h"

namespace switchyard::config {

using switchyard::Digest;
using switchyard::from_hex;
using switchyard::sha256;
using switchyard::to_hex;

}  // namespace switchyard::config
