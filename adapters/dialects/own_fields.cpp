#include "adapters/dialects/own_fields.h"

#include "adapters/canonical/json_text.h"
#include "adapters/dialects/json.h"

#include <nlohmann/json.hpp>

namespace switchyard {

void copy_members(std::string_view from, const std::vector<std::string>& names, std::string& to) {
  const auto object = parse_object(from);
  if (!object || !to.ends_with('}')) return;
  to.pop_back();
  for (const std::string& name : names) {
    const Json* value = find_member(*object, name);
    if (!value) continue;
    if (!to.ends_with('{')) to += ',';
    append_json_string(name, to);
    to += ':';
    to += to_text(*value);
  }
  to += '}';
}

}  // namespace switchyard
