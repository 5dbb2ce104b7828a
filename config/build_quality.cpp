#include "config/build_quality.h"

#include "config/quality_fields.h"
#include "config/read.h"

#include <algorithm>

namespace switchyard::config {

namespace {

void read_learning(const Node& node, Quality& quality) {
  read(node, "observations", quality.learn_observations);
  read(node, "blocks", quality.learn_blocks);
  read(node, "for", quality.learn_for);
  read(node, "block", quality.block);
}

void read_signals(const Node& node, Quality& quality) {
  for (const auto& field : node.fields) {
    const bool is_known = std::any_of(std::begin(kSignalsFields), std::end(kSignalsFields),
                                      [&](const Field& known) { return known.name == field.name; });
    if (!is_known || field.value->kind != Node::Kind::map) continue;
    SignalSetting& setting = quality.signals.emplace_back();
    setting.signal = field.name;
    if (usable(*field.value, "mode"))
      read_choice(*field.value, "mode", kQualityModes, setting.mode.emplace());
    read(*field.value, "tolerance", setting.tolerance);
    read(*field.value, "rate", setting.rate);
  }
}

void read_probes(const Node& node, BuildContext& context, Probes& probes) {
  read(node, "enabled", probes.enabled);
  read(node, "budget", probes.budget);
  read(node, "tokens_per_hour", probes.tokens_per_hour);
  read(node, "identity", probes.identity);
  read(node, "contract", probes.contract);
  const std::vector<std::string_view> families(std::begin(kProbeFamilies), std::end(kProbeFamilies));
  for (const Node* item : text_items(section(node, "families"))) {
    if (std::find(families.begin(), families.end(), item->text) == families.end()) {
      context.problems.add(
          item->place, "no family of probes is called " + shown(*item) + context.suggestion(*item, families));
    }
    probes.families.push_back(item->text);
  }
}

}  // namespace

Quality build_quality(const Node& node, BuildContext& context) {
  Quality quality;
  read_choice(node, "mode", kQualityModes, quality.mode);
  read(node, "false_eject_every", quality.requests_between_false_ejects);
  read_learning(section(node, "learn"), quality);
  read(node, "dwell", quality.dwell);
  read(node, "dwell_max", quality.dwell_max);
  read(node, "rise", quality.rise);
  if (quality.dwell > quality.dwell_max) {
    const Node* given = node.find("dwell_max") ? node.find("dwell_max") : node.find("dwell");
    context.problems.add(given->place, "`dwell_max` must not be less than `dwell`");
  }
  read_signals(section(node, "signals"), quality);
  read_probes(section(node, "probes"), context, quality.probes);
  if (const Node* judge = node.find("judge"); judge && judge->kind == Node::Kind::map) {
    Judge& given = quality.judge.emplace();
    read(*judge, "model", given.model);
    read(*judge, "sentinels", given.sentinels);
  }
  if (quality.mode == QualityMode::off && (quality.judge || quality.probes.enabled)) {
    context.problems.warn(node.find("mode")->place, "probes and the judge do nothing while `mode` is off");
  }
  return quality;
}

}  // namespace switchyard::config
