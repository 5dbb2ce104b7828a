#include "config/build_model.h"

#include "config/model_fields.h"
#include "config/pattern.h"
#include "config/read.h"

#include <algorithm>
#include <limits>

namespace switchyard::config {

namespace {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

class ModelBuilder {
 public:
  ModelBuilder(const Node::Field& field, const Config& config, BuildContext& context)
      : field_(field), node_(*field.value), config_(config), context_(context), problems_(context.problems) {}

  Model build() {
    model_.name = field_.name;
    if (!is_field_text(field_.name, kModelNameMax)) {
      problems_.add(field_.place, "a model's name is 1 to 128 visible characters");
    }
    const Node& targets = section(node_, "targets");
    if (targets.kind == Node::Kind::list && targets.items.empty()) {
      problems_.add(targets.place, "`targets` is empty: nothing could serve this model");
    }
    for (const Node* item : targets.items) model_.targets.push_back(target(*item));
    check_canaries(targets);
    read_choice(node_, "strategy", kStrategies, model_.strategy);
    objectives();
    timeouts();
    retry();
    hedge();
    read_choice(node_, "on_break", kOnBreak, model_.on_break);
    read(node_, "mark_seam", model_.mark_seam);
    read_choice(node_, "sticky", kSticky, model_.sticky);
    const Node& fallbacks = section(node_, "fallbacks");
    read(fallbacks, "context_too_long", model_.fallbacks.context_too_long);
    read(fallbacks, "refusal", model_.fallbacks.refusal);
    read(fallbacks, "failure", model_.fallbacks.failure);
    shadow();
    read(node_, "feedback", model_.allow_feedback);
    read(node_, "strict", model_.strict);
    return std::move(model_);
  }

 private:
  Target target(const Node& node) {
    Target target;
    read(node, "weight", target.weight);
    read(node, "tier", target.tier);
    read(node, "canary", target.canary);
    read(node, "context_tokens", target.context_tokens);
    read(node, "concurrent", target.concurrent);
    if (const Node* given = node.find("prices"); given && given->kind == Node::Kind::map) {
      Prices& prices = target.prices.emplace();
      read(*given, "input", prices.input);
      read(*given, "output", prices.output);
      prices.cached = prices.input;
      read(*given, "cached", prices.cached);
    }
    if (const Node* given = node.find("when"); given && given->kind == Node::Kind::map) {
      target.when = condition(*given);
    }
    served_by(node, target);
    return target;
  }

  // The provider and its model.
  void served_by(const Node& node, Target& target) {
    const Node* model_node = usable(node, "model");
    if (model_node && !model_node->text.empty()) {
      target.model = model_node->text;
      if (!is_field_text(target.model)) {
        problems_.add(model_node->place, "a model's name is 1 to 256 visible characters");
      }
      if (target.model == "*" && std::count(model_.name.begin(), model_.name.end(), '*') != 1) {
        problems_.add(model_node->place,
                      "`model` can be * only where the name above is a pattern with one *, whose part it is");
      }
    }
    const Node* name = usable(node, "provider");
    if (!name || name->text.empty()) return;
    target.provider = name->text;
    const auto provider = std::find_if(config_.providers.begin(), config_.providers.end(),
                                       [&](const Provider& one) { return one.name == target.provider; });
    if (provider == config_.providers.end()) {
      std::vector<std::string_view> names;
      for (const Provider& one : config_.providers) names.push_back(one.name);
      problems_.add(name->place, "no provider is called " + shown(*name) + context_.suggestion(*name, names));
    } else if (!provider->models.empty()) {
      local_target(node, *provider, target);
    }
  }

  // A local provider has just the models that it names.
  void local_target(const Node& node, const Provider& provider, Target& target) {
    const Node* given = node.find("model");
    if (given && given->broken) return;
    if (target.model.empty()) target.model = model_.name;
    if (provider.models.contains(target.model)) return;
    std::vector<std::string_view> names;
    for (const auto& [name, path] : provider.models) names.push_back(name);
    if (given) {
      problems_.add(given->place, "the local provider " + provider.name + " has no model " + shown(*given) +
                                      context_.suggestion(*given, names));
    } else {
      problems_.add(node.place,
                    "a target of the local provider " + provider.name + " needs the field `model`");
    }
  }

  Condition condition(const Node& node) {
    Condition when;
    for (const Node* item : text_items(section(node, "keys"))) when.keys.push_back(item->text);
    for (const auto& field : section(node, "headers").fields) {
      std::string name = lower_case(field.name);
      check_header(field, name, when);
      if (const Node* value = usable(section(node, "headers"), field.name)) {
        when.headers.emplace_back(std::move(name), value->text);
      }
    }
    for (const auto& field : section(node, "metadata").fields) {
      if (const Node* value = usable(section(node, "metadata"), field.name)) {
        when.metadata.emplace_back(field.name, value->text);
      }
    }
    const Node& tokens = section(node, "input_tokens");
    read(tokens, "min", when.input_tokens_min);
    read(tokens, "max", when.input_tokens_max);
    if (const Node* max = usable(tokens, "max");
        max && when.input_tokens_max > 0 && when.input_tokens_max < when.input_tokens_min) {
      problems_.add(max->place, "`max` is below `min`: no request could be meant");
    }
    read(node, "tools", when.tools);
    read(node, "images", when.images);
    read(node, "json", when.json);
    read(node, "stream", when.stream);
    return when;
  }

  void check_header(const Node::Field& field, const std::string& name, const Condition& when) {
    constexpr std::string_view kCredentials[] = {"authorization", "x-api-key", "api-key", "x-goog-api-key",
                                                 "cookie"};
    const bool is_name =
        !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        });
    if (!is_name) {
      problems_.add(field.place, "a header field's name is 1 to 64 letters, digits and dashes");
    } else if (std::find(std::begin(kCredentials), std::end(kCredentials), name) != std::end(kCredentials)) {
      problems_.add(field.place, "the header field " + name + " holds a credential: name the key in `keys`");
    } else if (std::any_of(when.headers.begin(), when.headers.end(),
                           [&](const auto& other) { return other.first == name; })) {
      problems_.add(field.place, "the header field " + name + " is given twice");
    }
  }

  void check_canaries(const Node& targets) {
    double sum = 0;
    const Node* last = nullptr;
    for (const Node* item : targets.items) {
      double share = 0;
      read(*item, "canary", share);
      sum += share;
      if (share > 0) last = item->find("canary");
    }
    // Three of 33.4% are too many, ten of 10% are not, whatever their binary sum is.
    if (sum > 1 + 1e-9) problems_.add(last->place, "the shares of all canaries are more than 100%");
  }

  void objectives() {
    const Node* node = node_.find("objectives");
    if (!node || node->kind != Node::Kind::map) return;
    Objectives given{0, 0, 0};
    read(*node, "quality", given.quality);
    read(*node, "latency", given.latency);
    read(*node, "cost", given.cost);
    const double sum = given.quality + given.latency + given.cost;
    if (!(sum > 0)) {
      problems_.add(node->place, "`objectives` must have one that is more than 0");
      return;
    }
    model_.objectives = {given.quality / sum, given.latency / sum, given.cost / sum};
    if (model_.strategy != Strategy::score) {
      problems_.warn(node->place, "`objectives` have no effect: they are of the strategy score");
    }
  }

  void timeouts() {
    const Node& node = section(node_, "timeouts");
    read(node, "connect", model_.timeouts.connect);
    read(node, "first_token", model_.timeouts.first_token);
    read(node, "between_tokens", model_.timeouts.between_tokens);
    read(node, "total", model_.timeouts.total);
  }

  void retry() {
    const Node& node = section(node_, "retry");
    read(node, "attempts", model_.retry.attempts);
    read(node, "budget", model_.retry.budget);
  }

  void hedge() {
    const Node* node = node_.find("hedge");
    if (!node || node->kind != Node::Kind::map) return;
    Hedge& hedge = model_.hedge.emplace();
    read(*node, "budget", hedge.budget);
    const Node* after = usable(*node, "after");
    if (!after) return;
    if (const auto percentile = parse_percentile(after->text)) {
      hedge.percentile = *percentile;
    } else {
      hedge.after = parse_duration(after->text);
    }
  }

  void shadow() {
    const Node* node = node_.find("shadow");
    if (!node || node->kind != Node::Kind::map) return;
    Shadow& shadow = model_.shadow.emplace();
    served_by(*node, shadow.target);
    read(*node, "share", shadow.share);
  }

  const Node::Field& field_;
  const Node& node_;
  const Config& config_;
  BuildContext& context_;
  Problems& problems_;
  Model model_;
};

}  // namespace

Model build_model(const Node::Field& field, const Config& config, BuildContext& context) {
  return ModelBuilder(field, config, context).build();
}

void check_patterns(const Node& models, BuildContext& context) {
  std::vector<const Node::Field*> patterns;
  for (const auto& field : models.fields) {
    if (is_pattern(field.name) && field.name.size() <= kModelNameMax) patterns.push_back(&field);
  }
  constexpr std::size_t kPatternsMax = 256;  // The comparison is of each with each.
  if (patterns.size() > kPatternsMax) {
    context.problems.add(patterns[kPatternsMax]->place, "more than 256 patterns");
    return;
  }
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::string &a = patterns[j]->name, &b = patterns[i]->name;
      if (literal_length(a) != literal_length(b) || !overlap(a, b)) continue;
      context.problems.add(patterns[i]->place, "as specific as the pattern \"" + a +
                                                   "\", and some names match both: make one more specific");
    }
  }
}

}  // namespace switchyard::config
