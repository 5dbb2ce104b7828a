#include "config/provider_types.h"

#include "adapters/canonical/json_text.h"
#include "config/check.h"
#include "config/placeholders.h"
#include "config/provider_fields.h"
#include "config/provider_table.h"
#include "config/read.h"
#include "config/suggest.h"
#include "config/values.h"

#include <algorithm>
#include <stdexcept>

namespace switchyard {

namespace config {

namespace {

constexpr Field kTableFields[] = {{.name = "provider_types",
                                   .kind = Kind::record_map,
                                   .description = "The table.",
                                   .required = true,
                                   .record = &kProviderType}};
constexpr Record kTable{"table", kTableFields};

std::vector<std::string> texts(const Node& record, std::string_view name) {
  std::vector<std::string> list;
  for (const Node* item : section(record, name).items) {
    if (item->kind == Node::Kind::scalar && !item->broken && !item->text.empty()) list.push_back(item->text);
  }
  return list;
}

// The index of a choice that check_fields() has looked at.
template <class Names>
std::optional<std::size_t> choice(const Node& record, std::string_view name, const Names& names) {
  const Node* node = usable(record, name);
  if (!node) return std::nullopt;
  const auto found = std::find(std::begin(names), std::end(names), node->text);
  if (found == std::end(names)) return std::nullopt;
  return static_cast<std::size_t>(found - std::begin(names));
}

void read_optional(const Node& record, std::string_view name, std::optional<double>& value) {
  const Node* node = usable(record, name);
  if (const auto number = node ? parse_number(node->text) : std::nullopt) value = *number;
}

void read_optional(const Node& record, std::string_view name, std::optional<std::int64_t>& value) {
  const Node* node = usable(record, name);
  if (const auto number = node ? parse_integer(node->text) : std::nullopt) value = *number;
}

Quirks read_quirks(const Node& node) {
  Quirks quirks;
  for (const SwitchQuirk& quirk : switch_quirks()) {
    if (const Node* given = usable(node, quirk.name)) quirks.*quirk.member = given->text == "true";
  }
  if (const auto control = choice(node, "reasoning_control", kReasoningControls)) {
    quirks.reasoning_control = static_cast<TargetTraits::ReasoningControl>(*control);
  }
  if (const Node* seed = usable(node, "seed_field")) {
    quirks.seed_field = seed->text == "none" ? std::string() : seed->text;
  }
  read_optional(node, "default_max_tokens", quirks.default_max_tokens);
  quirks.refused = texts(node, "refused");
  return quirks;
}

ModelRow read_model_row(const Node& node) {
  ModelRow row;
  row.match = texts(node, "match");
  row.quirks = read_quirks(section(node, "quirks"));
  read_optional(node, "context_tokens", row.context_tokens);
  read_optional(node, "max_output_tokens", row.max_output_tokens);
  const Node& prices = section(node, "prices");
  read_optional(prices, "input", row.usd_per_mtok_in);
  read_optional(prices, "output", row.usd_per_mtok_out);
  read_optional(prices, "cached", row.usd_per_mtok_cached);
  return row;
}

class TypesReader {
 public:
  TypesReader(std::span<const ProviderType> built_in, Problems& problems)
      : built_in_(built_in), problems_(problems) {}

  std::vector<ProviderType> read(const Node& section) {
    // Names that are suggested, and pointers into the list, stay where they are.
    types_.reserve(section.fields.size());
    for (const auto& field : section.fields) row(field);
    // A name of another row may stand before that row.
    for (const auto& field : section.fields) {
      if (const Node* other = usable(*field.value, "deployment_urls")) require(*other);
    }
    return std::move(types_);
  }

 private:
  const ProviderType* find(std::string_view name) const {
    const auto own = std::ranges::find(types_, name, &ProviderType::name);
    if (own != types_.end()) return &*own;
    const auto found = std::ranges::find(built_in_, name, &ProviderType::name);
    return found != built_in_.end() ? &*found : nullptr;
  }

  const ProviderType* require(const Node& node) {
    if (const ProviderType* type = find(node.text)) return type;
    std::vector<std::string_view> names;
    for (const ProviderType& type : types_) names.push_back(type.name);
    for (const ProviderType& type : built_in_) names.push_back(type.name);
    const std::string shown = node.expanded ? "the expanded value" : "\"" + node.text.substr(0, 64) + "\"";
    problems_.add(node.place, "no provider type is called " + shown +
                                  (node.expanded ? std::string() : did_you_mean(node.text, names)));
    return nullptr;
  }

  void row(const Node::Field& field) {
    const Node& node = *field.value;
    if (node.kind != Node::Kind::map) return;
    if (!is_plain_name(field.name)) {
      problems_.add(field.place,
                    "a provider type's name is 1 to 64 letters, digits, dots, underscores and dashes");
    }
    ProviderType type = start(field);
    type.name = field.name;
    read(node, type);
    if (!type.in_process && type.surfaces.empty()) {
      problems_.add(field.place, "a provider type needs the field `surfaces`, or `extends`");
    }
    types_.push_back(std::move(type));
  }

  // The row that this one begins with.
  ProviderType start(const Node::Field& field) {
    ProviderType type;
    const Node* extends = usable(*field.value, "extends");
    const ProviderType* base = extends ? require(*extends) : find(field.name);
    if (!base) return type;
    type = *base;
    if (base->name == field.name) return type;
    // What adds the other row to the default configuration does not add this one too.
    type.key_environment.clear();
    type.environment.clear();
    type.default_models.clear();
    type.deployment_urls.clear();
    return type;
  }

  void read(const Node& node, ProviderType& type) {
    if (const Node* url = usable(node, "base_url")) {
      type.base_url = url->text;
      check_base_url(*url);
    }
    if (const auto auth = choice(node, "auth", kAuthNames)) {
      type.auth = static_cast<ProviderType::Auth>(*auth);
    }
    config::read(node, "key_optional", type.key_optional);
    config::read(node, "key_environment", type.key_environment);
    if (node.find("environment")) {
      type.environment.clear();
      for (const auto& item : section(node, "environment").fields) {
        type.environment.emplace_back(item.name, item.value->text);
      }
    }
    if (node.find("default_models")) type.default_models = texts(node, "default_models");
    config::read(node, "query", type.query);
    config::read(node, "api_version", type.api_version);
    config::read(node, "deployment_urls", type.deployment_urls);
    config::read(node, "in_process", type.in_process);
    if (node.find("surfaces")) read_surfaces(section(node, "surfaces"), type);
    config::read(node, "rewrite", type.rewrite);
    if (node.find("own_fields")) type.own_fields = texts(node, "own_fields");
    type.quirks.merge(read_quirks(section(node, "quirks")));
    for (const Node* other : section(node, "models_of").items) {
      const ProviderType* found = other->kind == Node::Kind::scalar ? require(*other) : nullptr;
      if (!found) continue;
      const std::vector<ModelRow> rows = found->models;
      type.models.insert(type.models.end(), rows.begin(), rows.end());
    }
    for (const Node* model : section(node, "models").items) type.models.push_back(read_model_row(*model));
  }

  void check_base_url(const Node& node) {
    const auto expanded = fill_placeholders(node.text, [](std::string_view name) {
      return is_address_placeholder(name) ? std::optional<std::string>("x") : std::nullopt;
    });
    if (!expanded.missing.empty()) {
      problems_.add(node.place, "`base_url` may hold {region}, {resource}, {project} and {location} only");
      return;
    }
    const auto parsed = parse_base_url(expanded.text);
    if (!parsed.url) problems_.add(node.place, "`base_url` " + parsed.fault);
  }

  void read_surfaces(const Node& list, ProviderType& type) {
    type.surfaces.clear();
    for (const Node* item : list.items) {
      Surface surface;
      config::read(*item, "dialect", surface.dialect);
      surface.path = read_path(*item, "path");
      surface.stream_path = read_path(*item, "stream_path");
      surface.models = texts(*item, "models");
      for (const auto& member : section(*item, "instead_of_model").fields) {
        if (!surface.instead_of_model.empty()) surface.instead_of_model += ',';
        append_json_string(member.name, surface.instead_of_model);
        surface.instead_of_model += ':';
        append_json_string(member.value->text, surface.instead_of_model);
      }
      type.surfaces.push_back(std::move(surface));
    }
  }

  // A path goes into a request line as it is.
  std::string read_path(const Node& record, std::string_view name) {
    const Node* node = usable(record, name);
    if (!node || node->text.empty()) return {};
    if (!node->text.starts_with('/') || !is_field_text(node->text, 1024)) {
      problems_.add(node->place,
                    "`" + std::string(name) + "` must begin with / and hold visible characters only");
    }
    return node->text;
  }

  std::span<const ProviderType> built_in_;
  Problems& problems_;
  std::vector<ProviderType> types_;
};

std::vector<ProviderType> read_table() {
  Problems problems("providers.yaml");
  const Document document = parse_yaml(provider_table(), problems);
  std::vector<ProviderType> types;
  if (document.root) {
    check_fields(*document.root, kTable, problems);
    types = read_provider_types(section(*document.root, "provider_types"), {}, problems);
  }
  // The table is part of the program, and a test reads it: this is a bug of whoever built it.
  for (const Problem& problem : problems.take_errors()) throw std::logic_error(problem.text());
  return types;
}

}  // namespace

std::vector<ProviderType> read_provider_types(const Node& section, std::span<const ProviderType> built_in,
                                              Problems& problems) {
  return TypesReader(built_in, problems).read(section);
}

}  // namespace config

std::span<const ProviderType> provider_types() {
  static const std::vector<ProviderType> kTypes = config::read_table();
  return kTypes;
}

const ProviderType* find_provider_type(std::string_view name) {
  const auto types = provider_types();
  const auto found = std::ranges::find(types, name, &ProviderType::name);
  return found != types.end() ? &*found : nullptr;
}

}  // namespace switchyard
