// What of a target's times survives a restart.
#include "gateway/scoring/latency.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace switchyard::scoring {

namespace {

using Json = nlohmann::json;

constexpr double kLnMsMax = 20;  // Of a mean: e^20 ms is 15 years.
constexpr std::size_t kMeansMax = 2'016;

// [mean, seen] as they stand in the text; refused when no store could have written them.
template <class Cell>
bool read_cell(const Json& mean, const Json& seen, Cell& cell) {
  if (!mean.is_number() || !seen.is_number_unsigned()) return false;
  cell.mean = mean.get<float>();
  cell.seen = seen.get<std::uint32_t>();
  return std::abs(cell.mean) <= kLnMsMax && cell.seen <= 1'000'000;
}

Error refused() {
  return fail(ErrorKind::invalid_request, "saved latency cannot be read");
}

}  // namespace

std::string LatencyStore::save() const {
  Json all = Json::array(), hours = Json::array();
  for (const auto& cell : baseline_.all_) all.push_back({cell.mean, cell.seen});
  for (std::size_t hour = 0; hour < baseline_.hours_.size(); ++hour) {
    for (std::size_t bucket = 0; bucket < kSizeBuckets; ++bucket) {
      const auto& cell = baseline_.hours_[hour][bucket];
      if (cell.seen > 0) hours.push_back({hour, bucket, cell.mean, cell.seen});
    }
  }
  const Json json = {{"usual", std::move(all)},
                     {"hours", std::move(hours)},
                     {"blocks", usual_means_},
                     {"next_block", next_mean_},
                     {"limit", limit_},
                     {"evidence", detector_.numbers()},
                     {"slow_since_ms", slow_since_ms_},
                     {"quiet_blocks", quiet_blocks_},
                     {"allowed", allowed_}};
  return json.dump();
}

Result<> LatencyStore::load(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return refused();
  LatencyStore loaded;
  try {
    const Json& all = json.at("usual");
    if (!all.is_array() || all.size() != kSizeBuckets) return refused();
    for (std::size_t bucket = 0; bucket < kSizeBuckets; ++bucket) {
      if (!read_cell(all.at(bucket).at(0), all.at(bucket).at(1), loaded.baseline_.all_[bucket]))
        return refused();
    }
    for (const Json& entry : json.at("hours")) {
      const auto hour = entry.at(0).get<std::uint64_t>(), bucket = entry.at(1).get<std::uint64_t>();
      if (hour >= 168 || bucket >= kSizeBuckets) return refused();
      if (!read_cell(entry.at(2), entry.at(3), loaded.baseline_.hours_[hour][bucket])) return refused();
    }
    loaded.usual_means_ = json.at("blocks").get<std::vector<float>>();
    loaded.next_mean_ = json.at("next_block").get<std::size_t>();
    loaded.limit_ = json.at("limit").get<double>();
    loaded.detector_ =
        Detector::from_numbers(json.at("evidence").get<std::array<double, Detector::kNumbers>>());
    loaded.slow_since_ms_ = json.at("slow_since_ms").get<std::int64_t>();
    loaded.quiet_blocks_ = json.at("quiet_blocks").get<int>();
    loaded.allowed_ = json.at("allowed").get<double>();
  } catch (const Json::exception&) {
    return refused();
  }
  if (loaded.usual_means_.size() > kMeansMax) return refused();
  *this = std::move(loaded);
  return {};
}

}  // namespace switchyard::scoring
