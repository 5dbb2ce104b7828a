#include "config/check.h"

#include "config/suggest.h"
#include "config/values.h"

#include <algorithm>
#include <cstdio>

namespace switchyard::config {

namespace {

// With aliases a small file can be a large tree: this bounds what is checked and built.
constexpr int kValuesMax = 100'000;

std::string in_ticks(std::string_view name) {
  return "`" + std::string(name.substr(0, 64)) + "`";
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f", value);
  return text;
}

std::string list_of(std::span<const std::string_view> words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

bool has(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_plain(const Node& node) {
  return node.kind == Node::Kind::scalar && (!node.quoted || node.expanded);
}

std::string range_text(const Field& field) {
  return "from " + number_text(field.min) + " to " + number_text(field.max);
}

class Checker {
 public:
  explicit Checker(Problems& problems) : problems_(problems) {}

  void record(const Node& node, const Record& record, Place place) {
    if (!spend(node)) return;
    if (node.kind != Node::Kind::map) {
      problems_.add(node.place, "a " + std::string(record.name) + " must be a map of fields");
      return;
    }
    for (const Node::Field& given : node.fields) {
      if (const Field* field = record.find(given.name)) {
        value(*given.value, *field, given.place);
      } else {
        problems_.add(given.place, "unknown field " + in_ticks(given.name) + suggestion(given.name, record));
      }
    }
    for (const Field& field : record.fields) {
      if (field.required && !node.find(field.name)) {
        problems_.add(place, "a " + std::string(record.name) + " needs the field " + in_ticks(field.name));
      }
    }
  }

 private:
  bool spend(const Node& node) {
    if (++values_ <= kValuesMax) return true;
    problems_.add(node.place, "too many values");
    return false;
  }

  static std::string suggestion(std::string_view given, const Record& record) {
    std::vector<std::string_view> names;
    for (const Field& field : record.fields) {
      if (field.kind != Kind::unsupported) names.push_back(field.name);
    }
    return did_you_mean(given, names);
  }

  void expect(bool fits, const Node& node, const Field& field, const std::string& what) {
    if (!fits) problems_.add(node.place, in_ticks(field.name) + " must be " + what);
  }

  void value(const Node& node, const Field& field, Place place) {
    if (!spend(node)) return;
    switch (field.kind) {
      case Kind::unsupported:
        problems_.add(place, in_ticks(field.name) + " is not supported by this version");
        return;
      case Kind::record:
      case Kind::record_list:
      case Kind::record_map:
      case Kind::text_list:
      case Kind::text_map:
        return compound(node, field, place);
      default:
        return scalar(node, field);
    }
  }

  void compound(const Node& node, const Field& field, Place place) {
    const bool wants_list = field.kind == Kind::record_list || field.kind == Kind::text_list;
    if (node.kind != (wants_list ? Node::Kind::list : Node::Kind::map)) {
      expect(false, node, field, wants_list ? "a list" : "a map");
      return;
    }
    if (field.kind == Kind::record) return record(node, *field.record, place);
    for (const Node* item : node.items) {
      if (field.kind == Kind::record_list) {
        record(*item, *field.record, item->place);
      } else if (spend(*item)) {
        expect(is_text(*item), *item, field, "a list of texts");
      }
    }
    for (const Node::Field& item : node.fields) {
      if (field.kind == Kind::record_map) {
        record(*item.value, *field.record, item.place);
      } else if (spend(*item.value)) {
        expect(is_text(*item.value), *item.value, field, "a map of names to texts");
      }
    }
  }

  void scalar(const Node& node, const Field& field) {
    if (node.broken) return;
    const std::string& text = node.text;
    switch (field.kind) {
      case Kind::text:
      case Kind::secret:
        return expect(is_text(node) && !text.empty(), node, field,
                      is_plain(node) && !text.empty() ? "text: put it in quotes" : "text");
      case Kind::boolean:
        return expect(is_plain(node) && (text == "true" || text == "false"), node, field, "true or false");
      case Kind::integer:
        return integer(node, field, "a whole number");
      case Kind::auto_or_count:
        if (node.kind == Node::Kind::scalar && text == "auto") return;
        return integer(node, field, "auto or a whole number");
      case Kind::number: {
        const auto number = is_plain(node) ? parse_number(text) : std::nullopt;
        return expect(number && *number >= field.min && *number <= field.max, node, field,
                      "a number " + range_text(field));
      }
      case Kind::duration: {
        const std::chrono::hours longest(field.max > 0 ? static_cast<int>(field.max) : 24);
        const auto duration = parse_duration(text, longest);
        return expect(
            duration && duration->count() > 0, node, field,
            "a duration such as 250ms, 2s, 10m or 1h, up to " + std::to_string(longest.count()) + "h");
      }
      case Kind::size: {
        const auto size = parse_size(text);
        return expect(size && *size > 0, node, field, "a size such as 64KiB, 32MiB or 1GiB, up to 64GiB");
      }
      case Kind::percent:
        return expect(parse_percent(text).has_value(), node, field, "a share from 0% to 100%, such as 20%");
      case Kind::percentile_or_duration: {
        const auto duration = parse_duration(text);
        return expect(parse_percentile(text) || (duration && duration->count() > 0), node, field,
                      "a percentile from p50 to p99, or a duration such as 800ms");
      }
      case Kind::address:
        return expect(parse_address(text).has_value(), node, field, "an address such as 127.0.0.1:8080");
      default:
        return choice(node, field);
    }
  }

  void integer(const Node& node, const Field& field, const std::string& what) {
    const auto number = is_plain(node) ? parse_integer(node.text) : std::nullopt;
    const bool fits =
        number && static_cast<double>(*number) >= field.min && static_cast<double>(*number) <= field.max;
    expect(fits, node, field,
           field.min == field.max ? number_text(field.min) : what + " " + range_text(field));
  }

  void choice(const Node& node, const Field& field) {
    if (node.kind == Node::Kind::scalar && has(field.choices, node.text)) return;
    if (node.kind == Node::Kind::scalar && has(field.unsupported_choices, node.text)) {
      problems_.add(node.place,
                    in_ticks(field.name) + ": " + node.text + " is not supported by this version");
      return;
    }
    const auto hint = node.kind == Node::Kind::scalar && !node.expanded
                          ? did_you_mean(node.text, {field.choices.begin(), field.choices.end()})
                          : std::string();
    expect(false, node, field, list_of(field.choices) + hint);
  }

  Problems& problems_;
  int values_ = 0;
};

}  // namespace

bool is_text(const Node& node) {
  if (node.kind != Node::Kind::scalar) return false;
  if (node.quoted || node.expanded) return true;
  return node.text != "true" && node.text != "false" && !parse_number(node.text);
}

void check_fields(const Node& root, Problems& problems) {
  check_fields(root, root_record(), problems);
}

void check_fields(const Node& root, const Record& record, Problems& problems) {
  Checker(problems).record(root, record, root.place);
}

}  // namespace switchyard::config
