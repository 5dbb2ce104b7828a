#pragma once

#include "config/fields.h"
#include "config/problem.h"
#include "config/yaml.h"

namespace switchyard::config {

// Holds an expanded document to the table of fields: unknown fields, wrong types, values out of range,
// missing fields and fields that this version does not support become problems.
void check_fields(const Node& root, Problems& problems);
// The same for a document of another form.
void check_fields(const Node& root, const Record& record, Problems& problems);

// True when the node is a text: quoted, expanded, or plain and neither a number nor a boolean.
bool is_text(const Node& node);

}  // namespace switchyard::config
