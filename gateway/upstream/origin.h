#pragma once

#include "gateway/upstream/pool.h"

#include <string>
#include <string_view>

namespace switchyard::upstream {

// What an address says. `of`: whose connections these are, for Origin::key. Fails with invalid_request when
// it is no URL, or the certificates in `ca_file` cannot be read.
Result<Origin> make_origin(std::string_view url, const std::string& ca_file, const std::string& of,
                           int connections_max);

// The path of an address, without a query.
std::string path_of(std::string_view url);

}  // namespace switchyard::upstream
