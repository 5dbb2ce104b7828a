#pragma once

#include "config/config.h"

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::config {

struct ServiceAccountOrFault {
  std::optional<ServiceAccount> account;
  std::string fault;  // What is wrong with it, in words that do not quote it.
};

// Reads the JSON key file of a Google service account.
ServiceAccountOrFault parse_service_account(std::string_view json);

}  // namespace switchyard::config
