#include "gateway/scoring/core.h"

#include <nlohmann/json.hpp>

#include <stdexcept>
#include <type_traits>
#include <utility>

namespace switchyard::scoring {

namespace {

using Json = nlohmann::json;

// What is written below, in its order: another order, or another meaning, is another format.
constexpr int kFormat = 1;

// Structures are arrays of their fields in order, so that one list serves writing and reading. Numbers read
// back exactly: they are written with as many digits as that takes.
class Writer {
 public:
  static constexpr bool kReads = false;

  template <class T>
  void operator()(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      out.push_back(static_cast<int>(value));
    } else {
      out.push_back(value);
    }
  }

  template <class T>
  void object(T& value) {
    Writer inner;
    fields(inner, value);
    out.push_back(std::move(inner.out));
  }

  Json out = Json::array();
};

class Reader {
 public:
  static constexpr bool kReads = true;

  explicit Reader(const Json& in) : in_(in) {}

  template <class T>
  void operator()(T& value) {
    const Json& from = in_.at(at_++);
    if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(from.get<int>());
    } else {
      from.get_to(value);
    }
  }

  template <class T>
  void object(T& value) {
    Reader inner(in_.at(at_++));
    fields(inner, value);
  }

 private:
  const Json& in_;
  std::size_t at_ = 0;
};

void require(bool condition) {
  if (!condition) throw std::out_of_range("a number is out of its range");
}

template <class Archive>
void fields(Archive& a, Moments& m) {
  a(m.groups), a(m.n), a(m.s), a(m.ss), a(m.sn), a(m.nn);
}

template <class Archive>
void fields(Archive& a, BaselineState& b) {
  a(b.frozen.mean), a(b.frozen.independent), a(b.frozen.day_sd), a(b.frozen.version);
  a.object(b.next.blocks_);
  a(b.next.since_ms_), a(b.next.saw_weekend_);
  a.object(b.days);
  a(b.day_seen), a(b.day_bad), a(b.day), a(b.better_since_ms), a(b.relearns);
}

template <class Archive>
void fields(Archive& a, Profile& p) {
  a(p.length_.counts_), a(p.reasoning_.counts_), a(p.chunk_.counts_), a(p.gap_.counts_);
  a(p.length_low_), a(p.length_high_), a(p.reasoning_low_), a(p.chunk_high_), a(p.gap_high_);
  a(p.learnt_), a(p.knows_reasoning_), a(p.knows_chunks_), a(p.blocks_), a(p.block_has_any_), a(p.since_ms_);
}

template <class Archive>
void fields(Archive& a, Standing& s) {
  a(s.state), a(s.since_ms), a(s.until_ms), a(s.ejections), a(s.healthy_since_ms), a(s.ramp), a(s.step);
  a(s.step_since_ms), a(s.step_replies), a(s.alone), a(s.recalled), a(s.quality_ejected), a(s.why);
  require(s.step >= 0 && s.step < kProbationStepCount && s.state <= State::drained);
}

template <class Archive>
void fields(Archive& a, Stream& s) {
  auto numbers = s.detector_.numbers();
  a(numbers), a(s.recovery_.stake_), a(s.recovery_.beginnings_), a(s.recovery_odds_);
  if constexpr (Archive::kReads) s.detector_ = Detector::from_numbers(numbers);
  require(s.recovery_.beginnings_ > 0);
  a.object(s.pool_);
  a(s.learns_known_), a(s.guard_), a(s.seen_), a(s.bad_in_row_), a(s.block_seen_), a(s.block_bad_),
      a(s.block_expected_);
  a(s.recent_seen_), a(s.recent_bad_), a(s.recent_expected_), a(s.suspicious_since_ms_);
}

template <class Archive>
void fields(Archive& a, Stream::Stratum& s) {
  a.object(s.baseline);
  a(s.block_seen), a(s.block_bad);
}

template <class Archive>
void fields(Archive& a, Scored& s) {
  a.object(s.standing);
  a(s.shown_quality), a(s.measured_quality), a(s.availability), a(s.output_tokens_mean), a(s.recent_requests);
  a(s.day), a(s.requests_today), a(s.requests_a_day), a(s.armed_since_ms), a(s.seen_since_armed);
  a(s.armed_by_verdict), a(s.suspicious_since_ms);
}

template <class T>
Json written(T& value) {
  Writer writer;
  fields(writer, value);
  return std::move(writer.out);
}

template <class T>
void read(const Json& json, T& value) {
  Reader reader(json);
  fields(reader, value);
}

std::size_t index(const std::string& number, std::size_t end) {
  const std::size_t out = std::stoul(number);
  require(out < end);
  return out;
}

Json written_whole(Scored& target) {
  Json out = {{"target", written(target)}, {"signals", Json::object()}, {"profiles", Json::object()}};
  for (auto& stream : target.streams) {
    if (!stream) continue;
    Json strata = Json::object();
    for (std::size_t i = 0; i < kStrata; ++i)
      if (stream->strata_[i]) strata[std::to_string(i)] = written(*stream->strata_[i]);
    out["signals"][std::string(name_of(stream->signal_))] = {{"stream", written(*stream)},
                                                             {"strata", std::move(strata)}};
  }
  for (std::size_t i = 0; i < kStrata; ++i)
    if (target.profiles[i]) out["profiles"][std::to_string(i)] = written(*target.profiles[i]);
  out["latency"] = Json::parse(target.latency.save());
  return out;
}

std::unique_ptr<Scored> read_whole(const Json& json, const std::array<SignalRule, kSignals>& rules) {
  auto out = std::make_unique<Scored>();
  read(json.at("target"), *out);
  for (const auto& [name, saved] : json.at("signals").items()) {
    const auto signal = find_signal(name);
    if (!signal) continue;  // Of a later version, which has more of them.
    const auto i = static_cast<std::size_t>(*signal);
    out->streams[i] = std::make_unique<Stream>(*signal, rules[i]);
    read(saved.at("stream"), *out->streams[i]);
    for (const auto& [number, stratum] : saved.at("strata").items()) {
      auto& place = out->streams[i]->strata_[index(number, kStrata)];
      place = std::make_unique<Stream::Stratum>();
      read(stratum, *place);
    }
  }
  for (const auto& [number, profile] : json.at("profiles").items()) {
    auto& place = out->profiles[index(number, kStrata)];
    place = std::make_unique<Profile>();
    read(profile, *place);
  }
  require(out->latency.load(json.at("latency").dump()).has_value());
  return out;
}

}  // namespace

std::string Core::save() const {
  Json out = {{"format", kFormat},
              {"time_ms", time_ms_},
              {"ticks", ticks_},
              {"block", block_},
              {"targets", Json::object()}};
  for (const auto& [key, scored] : all_) out["targets"][key] = written_whole(*scored);
  // Keys are of the configuration, which is UTF-8; whatever is not becomes a replacement character.
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<> Core::load(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("format").get<int>() != kFormat)
      return fail(ErrorKind::invalid_request, "saved scores are of another version");
    std::map<std::string, std::unique_ptr<Scored>> all;
    for (const auto& [key, saved] : json.at("targets").items()) all[key] = read_whole(saved, rules_);
    const auto time_ms = json.at("time_ms").get<std::int64_t>();
    const auto ticks = json.at("ticks").get<std::uint64_t>();
    const auto block = json.at("block").get<std::int64_t>();
    all_ = std::move(all);
    time_ms_ = time_ms;
    ticks_ = ticks;
    block_ = block;
  } catch (const std::exception& error) {
    // The library's only way to say it. Nothing was changed yet.
    return fail(ErrorKind::invalid_request, std::string("saved scores cannot be read: ") + error.what());
  }
  by_id_.clear();
  groups_.clear();
  view_ = nullptr;
  return {};
}

}  // namespace switchyard::scoring
