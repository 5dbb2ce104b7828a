#include "config/references.h"

#include "config/lookup.h"
#include "config/read.h"

#include <algorithm>
#include <map>

namespace switchyard::config {

namespace {

// One fallback of one model.
struct Edge {
  const Model* from = nullptr;
  const Model* to = nullptr;
  const Node* node = nullptr;
};

class References {
 public:
  References(const Node& root, const Config& config, BuildContext& context)
      : root_(root), config_(config), context_(context), problems_(context.problems) {
    for (const Key& key : config_.keys) keys_.push_back(key.name);
    std::sort(keys_.begin(), keys_.end());
  }

  void check() {
    for (const auto& field : section(root_, "models").fields) {
      const Model* model = find_model(config_, field.name);
      if (!model || model->name != field.name) continue;
      fallbacks(*field.value, *model);
      conditions(*field.value);
      shadow(*field.value, *model);
      prices(field, *model);
    }
    cycles();
    judge();
  }

 private:
  // The entry that a name stands for; a problem when there is none.
  const Model* named(const Node& node) {
    const Model* model = find_model(config_, node.text);
    if (model) return model;
    std::vector<std::string_view> names;
    for (const Model& one : config_.models) names.push_back(one.name);
    problems_.add(node.place, "no model is called " + shown(node) + context_.suggestion(node, names));
    return nullptr;
  }

  void fallbacks(const Node& node, const Model& model) {
    const Node& given = section(node, "fallbacks");
    for (const auto& field : given.fields) {
      const Node* name = usable(given, field.name);
      if (!name || name->text.empty()) continue;
      if (const Model* other = named(*name)) edges_[&model].push_back({&model, other, name});
    }
  }

  // Depth first over the fallbacks; one that leads back to a model on the way is a problem at its place. A
  // stack of its own, for a file may be one long chain.
  void cycles() {
    enum class Mark { on_the_way, done };
    std::map<const Model*, Mark> marks;

    struct Step {
      const Model* model;
      std::size_t next = 0;
    };

    for (const auto& [start, unused] : edges_) {
      if (marks.contains(start)) continue;
      std::vector<Step> way{{start}};
      marks[start] = Mark::on_the_way;
      while (!way.empty()) {
        Step& step = way.back();
        const auto found = edges_.find(step.model);
        if (found == edges_.end() || step.next == found->second.size()) {
          marks[step.model] = Mark::done;
          way.pop_back();
          continue;
        }
        const Edge& edge = found->second[step.next++];
        const auto mark = marks.find(edge.to);
        if (mark == marks.end()) {
          marks[edge.to] = Mark::on_the_way;
          way.push_back({edge.to});
        } else if (mark->second == Mark::on_the_way) {
          problems_.add(edge.node->place, "a cycle of fallbacks: \"" + edge.to->name.substr(0, 64) +
                                              "\" comes back to " +
                                              (edge.to == edge.from ? "itself" : "where it began"));
        }
      }
    }
  }

  void conditions(const Node& node) {
    for (const Node* target : section(node, "targets").items) {
      for (const Node* item : text_items(section(section(*target, "when"), "keys"))) {
        if (std::binary_search(keys_.begin(), keys_.end(), std::string_view(item->text))) continue;
        problems_.add(item->place, "no key is called " + shown(*item) + context_.suggestion(*item, keys_));
      }
    }
  }

  void shadow(const Node& node, const Model& model) {
    if (!model.shadow) return;
    const Place place = node.find("shadow")->place;
    if (!config_.quality.judge) {
      problems_.add(place, "a `shadow` needs `quality.judge`: nobody would compare the answers");
    }
    if (!config_.keys.empty() &&
        std::none_of(config_.keys.begin(), config_.keys.end(), [](const Key& key) { return key.shadow; })) {
      problems_.warn(place, "no request is copied: none of the keys says `shadow: true`");
    }
  }

  bool has_price(const Target& target, const Model& model) const {
    if (target.prices) return true;
    const auto provider = std::find_if(config_.providers.begin(), config_.providers.end(),
                                       [&](const Provider& one) { return one.name == target.provider; });
    if (provider == config_.providers.end()) return true;  // A problem of its own.
    const ProviderType* type = find_type(config_.provider_types, provider->type);
    // What a pattern's names cost is known only with the name.
    if (!type || upstream_model(model, target, model.name).find('*') != std::string_view::npos) return true;
    return model_facts(*type, upstream_model(model, target, model.name)).usd_per_mtok_out.has_value();
  }

  void prices(const Node::Field& field, const Model& model) {
    if (model.strategy != Strategy::cost) return;
    if (std::any_of(model.targets.begin(), model.targets.end(),
                    [&](const Target& target) { return has_price(target, model); }))
      return;
    problems_.warn(field.value->find("strategy")->place,
                   "the strategy cost has no effect: the price of no target is known; give `prices`");
  }

  // The judge is pinned: its answers are never judged themselves.
  void judge() {
    const Node* node = usable(section(section(root_, "quality"), "judge"), "model");
    if (!node || node->text.empty()) return;
    const Model* judge = named(*node);
    if (!judge) return;
    for (const Model& model : config_.models) {
      if (!model.shadow) continue;
      const bool is_judged =
          std::any_of(judge->targets.begin(), judge->targets.end(), [&](const Target& one) {
            return std::any_of(model.targets.begin(), model.targets.end(), [&](const Target& judged) {
              return judged.provider == one.provider && judged.model == one.model;
            });
          });
      if (!is_judged) continue;
      problems_.add(node->place, "the judge is one of the judged: a target of it also serves \"" +
                                     model.name.substr(0, 64) + "\"");
      return;
    }
  }

  const Node& root_;
  const Config& config_;
  BuildContext& context_;
  Problems& problems_;
  std::vector<std::string_view> keys_;  // Their names, sorted.
  std::map<const Model*, std::vector<Edge>> edges_;
};

}  // namespace

void check_references(const Node& root, const Config& config, BuildContext& context) {
  References(root, config, context).check();
}

}  // namespace switchyard::config
