#pragma once

#include "config/values.h"
#include "config/yaml.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::config {

// One field of a checked record. What is absent, or was refused by check_fields(), reads as the value that is
// given as default.

inline const Node* usable(const Node& record, std::string_view name) {
  const Node* node = record.find(name);
  return node && node->kind == Node::Kind::scalar && !node->broken ? node : nullptr;
}

inline void read(const Node& record, std::string_view name, std::string& value) {
  if (const Node* node = usable(record, name)) value = node->text;
}

inline void read(const Node& record, std::string_view name, int& value) {
  const Node* node = usable(record, name);
  if (const auto number = node ? parse_integer(node->text) : std::nullopt) value = static_cast<int>(*number);
}

inline void read(const Node& record, std::string_view name, std::int64_t& value) {
  const Node* node = usable(record, name);
  if (const auto number = node ? parse_integer(node->text) : std::nullopt) value = *number;
}

inline void read(const Node& record, std::string_view name, double& value) {
  const Node* node = usable(record, name);
  if (!node) return;
  if (const auto number = parse_number(node->text)) value = *number;
  if (const auto share = parse_percent(node->text)) value = *share;
}

inline void read(const Node& record, std::string_view name, bool& value) {
  if (const Node* node = usable(record, name)) value = node->text == "true";
}

inline void read(const Node& record, std::string_view name, milliseconds& value) {
  const Node* node = usable(record, name);
  if (const auto duration = node ? parse_duration(node->text, kLongestDuration) : std::nullopt)
    value = *duration;
}

inline void read(const Node& record, std::string_view name, std::size_t& value) {
  const Node* node = usable(record, name);
  if (const auto size = node ? parse_size(node->text) : std::nullopt) value = *size;
}

inline void read(const Node& record, std::string_view name, Address& value) {
  const Node* node = usable(record, name);
  if (const auto address = node ? parse_address(node->text) : std::nullopt) value = *address;
}

// An optional value: what is absent stays as it was.
template <class T>
void read(const Node& record, std::string_view name, std::optional<T>& value) {
  if (!usable(record, name)) return;
  T given{};
  read(record, name, given);
  value = given;
}

// The index of the word in a list of choices is the enumerator.
template <class Enum>
void read_choice(const Node& record, std::string_view name, std::span<const std::string_view> words,
                 Enum& value) {
  const Node* node = usable(record, name);
  for (std::size_t i = 0; node && i < words.size(); ++i) {
    if (node->text == words[i]) value = static_cast<Enum>(i);
  }
}

// The texts of a list.
inline std::vector<const Node*> text_items(const Node& list) {
  std::vector<const Node*> texts;
  for (const Node* item : list.items) {
    if (item->kind == Node::Kind::scalar && !item->broken) texts.push_back(item);
  }
  return texts;
}

// The record, map or list under a name; an empty one when there is none.
inline const Node& section(const Node& record, std::string_view name) {
  static const Node kEmpty;
  const Node* node = record.find(name);
  return node ? *node : kEmpty;
}

}  // namespace switchyard::config
