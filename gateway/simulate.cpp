#include "config/lookup.h"
#include "gateway/commands.h"
#include "gateway/loading.h"
#include "gateway/simulator/replay.h"
#include "gateway/simulator/simulation.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>
#include <optional>

namespace switchyard {

namespace {

simulator::Lookup lookup() {
  return {
      [](const config::Config& config, std::string_view name) {
        return config::find_type(config.provider_types, name);
      },
      [](const config::Config& config, std::string_view name) { return config::find_model(config, name); }};
}

std::optional<config::Config> load(const std::string& path) {
  auto read = read_config(path);
  if (!read.problems.empty()) std::fputs(to_text(read.problems).c_str(), stderr);
  return std::move(read.config);
}

int complain(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  return 1;
}

int complain(const std::string& path, std::uint64_t line, const Error& error) {
  return complain(path + ":" + std::to_string(line) + ": " + error.message);
}

// Writes lines; a path that is empty takes none.
class Lines {
 public:
  explicit Lines(const std::string& path) : wanted_(!path.empty()), file_(path) {}

  bool good() const { return !wanted_ || file_.good(); }

  void add(const nlohmann::ordered_json& line) {
    add(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }

  void add(const std::string& line) {
    if (wanted_) file_ << line << '\n';
  }

 private:
  bool wanted_;
  std::ofstream file_;
};

// A decision has an input; lines of a world have a type.
bool is_recorded(const std::string& line) {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  return object.is_object() && object.contains("input");
}

int replay(const SimulateOptions& options, const config::Config& config, std::ifstream& file,
           std::string line) {
  std::optional<config::Config> against;
  if (!options.against.empty()) {
    against = load(options.against);
    if (!against) return 1;
  }
  Lines moves(options.moves);
  simulator::Replay replay(&config, against ? &*against : nullptr, lookup());
  replay.on_move = [&](const simulator::Move& move) {
    moves.add({{"request_id", move.request_id}, {"model", move.model}, {"from", move.from}, {"to", move.to}});
  };
  std::uint64_t number = 0;
  do {
    ++number;
    if (line.empty()) continue;
    if (const auto added = replay.add(line); !added) return complain(options.traffic, number, added.error());
  } while (std::getline(file, line));
  const simulator::ReplaySummary& summary = replay.summary();
  std::fputs(simulator::to_text(summary, against.has_value()).c_str(), stdout);
  if (!moves.good()) return complain(options.moves + ": cannot be written");
  return summary.identical == summary.decisions ? 0 : 1;
}

nlohmann::ordered_json to_json(const simulator::Point& point, const simulator::World& world) {
  auto targets = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    targets.push_back({{"provider", world.targets[i].provider},
                       {"model", world.targets[i].model},
                       {"share", point.shares[i]},
                       {"part", point.parts[i]},
                       {"quality", point.qualities[i]},
                       {"state", scoring::name_of(point.states[i])}});
  }
  return {{"at", point.at_s}, {"targets", std::move(targets)}};
}

int run_world(const SimulateOptions& options, const config::Config& config, std::ifstream& file,
              std::string line) {
  simulator::WorldReader reader;
  std::uint64_t number = 0;
  do {
    ++number;
    if (const auto added = reader.add(line); !added) return complain(options.traffic, number, added.error());
  } while (std::getline(file, line));
  auto world = reader.world();
  if (!world) return complain(options.traffic + ": " + world.error().message);
  if (options.seed >= 0) world->traffic.seed = static_cast<std::uint64_t>(options.seed);
  Lines series(options.series);
  simulator::Options run;
  if (!options.series.empty()) run.every_s = options.every_s;
  run.point = [&](const simulator::Point& point) { series.add(to_json(point, *world)); };
  Lines decisions(options.decisions);
  if (!options.decisions.empty()) {
    if (world->traffic.fast)
      return complain("--decisions needs every request by itself: traffic that is not `fast`");
    run.decision = [&](const routing::Decision& decision) { decisions.add(routing::to_json(decision)); };
  }
  const auto summary = simulator::simulate(config, lookup(), *world, run);
  if (!summary) return complain(options.traffic + ": " + summary.error().message);
  std::fputs(simulator::to_text(*summary).c_str(), stdout);
  if (!series.good()) return complain(options.series + ": cannot be written");
  return decisions.good() ? 0 : complain(options.decisions + ": cannot be written");
}

}  // namespace

int simulate(const SimulateOptions& options) {
  const auto config = load(options.config);
  if (!config) return 1;
  std::ifstream file(options.traffic);
  std::string line;
  if (!std::getline(file, line)) return complain(options.traffic + ": cannot be read, or is empty");
  if (is_recorded(line)) return replay(options, *config, file, std::move(line));
  if (!options.against.empty()) return complain("--against is for recorded decisions");
  return run_world(options, *config, file, std::move(line));
}

}  // namespace switchyard
