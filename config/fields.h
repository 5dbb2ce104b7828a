#pragma once

#include <span>
#include <string_view>

namespace switchyard::config {

// Every field that a configuration may have, as data: the loader checks a file against this table, and a test
// holds switchyard.schema.json and docs/configuration.md to it.

enum class Kind {
  text,
  secret,  // Text that is never shown.
  integer,
  number,
  boolean,
  duration,
  size,
  percent,
  percentile_or_duration,  // p50 to p99, or a duration.
  address,
  auto_or_count,  // The word auto, or an integer.
  choice,         // One of `choices`.
  text_list,
  text_map,  // Names to texts.
  record,    // Fields of `record`.
  record_list,
  record_map,   // Names to records.
  unsupported,  // Known, and refused: this version would not do what it says.
};

struct Record;

struct Field {
  std::string_view name;
  Kind kind;
  std::string_view description;  // One sentence: the schema shows it in editors.
  bool required = false;
  // For integer, number and auto_or_count; both included. For a duration the most hours; 0 is 24.
  double min = 0, max = 0;
  std::span<const std::string_view> choices = {};
  std::span<const std::string_view> unsupported_choices = {};
  const Record* record = nullptr;
};

struct Record {
  std::string_view name;
  std::span<const Field> fields;

  const Field* find(std::string_view field) const;
};

// The whole file.
const Record& root_record();

}  // namespace switchyard::config
