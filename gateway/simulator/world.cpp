#include "gateway/simulator/world.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace switchyard::simulator {

namespace {

using Json = nlohmann::json;

Error wrong(const std::string& what) {
  return fail(ErrorKind::invalid_request, what);
}

// Reads the members of one line, and keeps the first thing that is wrong.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {
    for (const auto& [name, value] : object.items()) unread_.push_back(name);
  }

  void number(const char* name, double& value, double min, double max) {
    const Json* member = take(name);
    if (!member) return;
    if (!member->is_number() || !(member->get<double>() >= min) || !(member->get<double>() <= max))
      return complain("`" + std::string(name) + "` must be a number from " + shown(min) + " to " +
                      shown(max));
    value = member->get<double>();
  }

  template <class Int>
  void count(const char* name, Int& value, double max) {
    double number = static_cast<double>(value);
    this->number(name, number, 0, max);
    if (number != std::floor(number)) return complain("`" + std::string(name) + "` must be a whole number");
    value = static_cast<Int>(number);
  }

  void text(const char* name, std::string& value) {
    const Json* member = take(name);
    if (!member) return;
    if (!member->is_string()) return complain("`" + std::string(name) + "` must be a text");
    value = member->get<std::string>();
  }

  void boolean(const char* name, bool& value) {
    const Json* member = take(name);
    if (!member) return;
    if (!member->is_boolean()) return complain("`" + std::string(name) + "` must be true or false");
    value = member->get<bool>();
  }

  // {"tool_call_invalid": 0.01}
  void rates(const char* name, std::array<double, scoring::kSignals>& rates) {
    const Json* member = take(name);
    if (!member) return;
    if (!member->is_object()) return complain("`" + std::string(name) + "` must be an object of rates");
    for (const auto& [signal_name, rate] : member->items()) {
      const auto signal = scoring::find_signal(signal_name);
      if (!signal) return complain("no signal is called `" + signal_name + "`");
      if (!is_simulated(*signal)) return complain("`" + signal_name + "` is not simulated");
      if (!rate.is_number() || !(rate.get<double>() >= 0) || !(rate.get<double>() <= 1))
        return complain("`" + signal_name + "` must be a rate from 0 to 1");
      rates[static_cast<std::size_t>(*signal)] = rate.get<double>();
    }
  }

  void done() {
    if (!unread_.empty()) complain("unknown member `" + unread_.front() + "`");
  }

  void complain(const std::string& what) {
    if (fault_.empty()) fault_ = what;
  }

  const std::string& fault() const { return fault_; }

 private:
  const Json* take(const char* name) {
    std::erase(unread_, name);
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  static std::string shown(double value) { return Json(value).dump(); }

  const Json& object_;
  std::vector<std::string> unread_;
  std::string fault_;
};

void read_traffic(Members& in, Traffic& traffic) {
  in.text("model", traffic.model);
  in.count("requests", traffic.requests, 1e11);
  in.number("rate", traffic.rate, 1e-3, 1e6);
  in.number("input_tokens", traffic.input_tokens, 1, 1e7);
  in.number("input_sd", traffic.input_sd, 0, 3);
  in.number("output_tokens", traffic.output_tokens, 1, 1e6);
  in.number("output_sd", traffic.output_sd, 0, 3);
  in.number("tools", traffic.tools, 0, 1);
  in.number("json", traffic.json, 0, 1);
  in.number("stream", traffic.stream, 0, 1);
  in.number("day_sd", traffic.day_sd, 0, 3);
  in.number("day_seconds", traffic.day_seconds, 1, 1e7);
  in.number("probes_per_hour", traffic.probes_per_hour, 0, 1e5);
  in.count("seed", traffic.seed, 9007199254740992.0);
  in.boolean("fast", traffic.fast);
}

void read_behaviour(Members& in, Behaviour& behaviour) {
  in.number("ttft_ms", behaviour.ttft_ms, 0.1, 1e6);
  in.number("ttft_sd", behaviour.ttft_sd, 0, 3);
  in.number("load_sd", behaviour.load_sd, 0, 2);
  in.number("inter_token_ms", behaviour.inter_token_ms, 0, 1e5);
  in.number("failures", behaviour.failures, 0, 1);
  in.number("rate_limited", behaviour.rate_limited, 0, 1);
  in.number("day_sd", behaviour.day_sd, 0, 3);
  in.number("output_factor", behaviour.output_factor, 0.001, 1000);
  in.rates("bad", behaviour.bad);
}

}  // namespace

bool is_simulated(scoring::Signal signal) {
  return signal <= scoring::Signal::declared_identity || signal == scoring::Signal::canary ||
         signal == scoring::Signal::contract;
}

Result<> WorldReader::add(std::string_view line) {
  const auto first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos || line[first] == '#') return {};
  const Json object = Json::parse(line, nullptr, false);
  if (!object.is_object()) return wrong("not a JSON object");
  Members in(object);
  std::string type, provider, model;
  in.text("type", type);
  const auto named = [&] {
    in.text("provider", provider);
    in.text("model", model);
    return std::ranges::find_if(world_.targets, [&](const TargetWorld& target) {
      return target.provider == provider && target.model == model;
    });
  };
  if (type == "traffic") {
    read_traffic(in, world_.traffic);
  } else if (type == "target") {
    if (named() != world_.targets.end()) in.complain("the target is described twice");
    world_.targets.push_back({provider, model, {}});
    read_behaviour(in, world_.targets.back().usual);
  } else if (type == "change" || type == "restore") {
    const auto target = named();
    Change change;
    in.number("at", change.at_s, 0, 1e10);
    if (target == world_.targets.end()) {
      in.complain("no target of that provider and model was described above");
    } else {
      change.target = static_cast<std::size_t>(target - world_.targets.begin());
      if (type == "change") read_behaviour(in, change.behaviour.emplace(target->usual));
    }
    const auto place = std::ranges::upper_bound(world_.changes, change.at_s, {}, &Change::at_s);
    world_.changes.insert(place, std::move(change));
  } else {
    in.complain("`type` must be traffic, target, change or restore");
  }
  in.done();
  if (!in.fault().empty()) return wrong(in.fault());
  return {};
}

Result<World> WorldReader::world() const {
  if (world_.targets.empty()) return wrong("no target is described");
  return world_;
}

}  // namespace switchyard::simulator
