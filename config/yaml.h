#pragma once

#include "config/problem.h"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::config {

// A YAML document as a tree with places. An alias is a second pointer to its anchor's node.
struct Node {
  enum class Kind { null, scalar, list, map };

  struct Field {
    std::string name;
    Place place;
    Node* value = nullptr;
  };

  const Node* find(std::string_view name) const;

  Kind kind = Kind::null;
  Place place;
  std::string text;  // Of a scalar.
  bool quoted = false;
  bool expanded = false;      // The text came, in whole or in part, from ${...}: it is never shown.
  bool broken = false;        // Its ${...} could not be filled: a problem of its own, nothing more to say.
  std::vector<Node*> items;   // Of a list.
  std::vector<Field> fields;  // Of a map, in the file's order, each name once.
};

struct Document {
  std::deque<Node> nodes;  // In the order of the file. Never empties, so that the pointers hold.
  Node* root = nullptr;    // Null when the text is no YAML document.
};

// Parses one document of at most 1 MiB, 16 levels deep. Syntax errors, duplicate fields and what YAML can say
// and a configuration cannot (tags, several documents, fields without a name) become problems. Never throws.
Document parse_yaml(std::string_view text, Problems& problems);

}  // namespace switchyard::config
