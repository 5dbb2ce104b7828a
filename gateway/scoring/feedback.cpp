#include "gateway/scoring/feedback.h"

#include "adapters/dialects/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace switchyard::scoring {

namespace {

constexpr std::size_t kIdBytesMax = 128;
constexpr double kNothing = 0.01;

Error wrong(const char* member, const char* why) {
  return fail(ErrorKind::invalid_request, std::string(member) + ' ' + why, member);
}

std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

}  // namespace

Result<FeedbackRequest> read_feedback(std::string_view body) {
  const auto json = parse_object(body);
  if (!json) return json.error();
  FeedbackRequest request;
  if (const auto read = read_string(*json, "request_id", request.request_id); !read) return read.error();
  if (request.request_id.empty()) return wrong("request_id", "is required");
  if (request.request_id.size() > kIdBytesMax) return wrong("request_id", "is no id of a request");
  std::optional<double> score;
  std::string name;
  const Json* const value = find_member(*json, "value");
  const char* member = value ? "value" : "score";
  if (value) {
    if (find_member(*json, "score")) return wrong("value", "and score are both given");
    if (const auto read = read_string(*json, "name", name); !read) return read.error();
    if (name.empty()) return wrong("name", "is required beside value");
    if (value->is_boolean()) score = value->get<bool>() ? 1.0 : -1.0;
  }
  if (!score) {
    if (const auto read = read_number(*json, member, score); !read) return read.error();
  }
  if (!score) return wrong("score", "is required, or name and value");
  if (!(*score >= -1 && *score <= 1)) return wrong(member, "must be from -1 to 1");
  request.score = *score;
  return request;
}

void ServedRequests::add(std::uint64_t id, const ServedRequest& request) {
  const std::uint64_t who = std::uint64_t{request.target} << 32 | request.key;
  const std::uint64_t when = std::uint64_t{request.at_s} << 8 | request.stratum;
  const std::size_t set = mixed(id) % (kEntries / kWays) * kWays;
  std::size_t place = set;
  for (std::size_t i = set; i < set + kWays; ++i) {
    const Entry& entry = entries_[i];
    const std::uint64_t has =
        entry.check.load(std::memory_order_relaxed) ^ entry.who.load(std::memory_order_relaxed) ^
        entry.session.load(std::memory_order_relaxed) ^ entry.when.load(std::memory_order_relaxed);
    if (has == id) {
      place = i;
      break;
    }
    if (entry.when.load(std::memory_order_relaxed) < entries_[place].when.load(std::memory_order_relaxed))
      place = i;
  }
  Entry& entry = entries_[place];
  entry.who.store(who, std::memory_order_relaxed);
  entry.session.store(request.session, std::memory_order_relaxed);
  entry.when.store(when, std::memory_order_relaxed);
  entry.check.store(id ^ who ^ request.session ^ when, std::memory_order_relaxed);
}

std::optional<ServedRequest> ServedRequests::find(std::uint64_t id) const {
  const std::size_t set = mixed(id) % (kEntries / kWays) * kWays;
  for (std::size_t i = set; i < set + kWays; ++i) {
    const Entry& entry = entries_[i];
    const std::uint64_t who = entry.who.load(std::memory_order_relaxed);
    const std::uint64_t session = entry.session.load(std::memory_order_relaxed);
    const std::uint64_t when = entry.when.load(std::memory_order_relaxed);
    const std::uint64_t check = entry.check.load(std::memory_order_relaxed);
    if (check == 0 || (check ^ who ^ session ^ when) != id) continue;
    return ServedRequest{static_cast<std::uint32_t>(who >> 32), static_cast<std::uint32_t>(who), session,
                         static_cast<std::uint32_t>(when >> 8), static_cast<std::uint8_t>(when)};
  }
  return std::nullopt;
}

double FeedbackGate::Decaying::at(std::int64_t now_ms) const {
  return count * std::exp2(-static_cast<double>(now_ms - at_ms) / static_cast<double>(kHourMs));
}

void FeedbackGate::Decaying::add(std::int64_t now_ms) {
  count = at(now_ms) + 1;
  at_ms = now_ms;
}

FeedbackGate::Decaying* FeedbackGate::find(std::vector<Decaying>& counters, std::uint64_t owner,
                                           std::int64_t now_ms) {
  constexpr std::size_t kProbes = 8;
  Decaying* place = nullptr;
  for (std::size_t i = 0; i < kProbes; ++i) {
    Decaying& counter = counters[(mixed(owner) + i) % counters.size()];
    if (counter.owner == owner) return &counter;
    if (!place && (counter.owner == 0 || counter.at(now_ms) < kNothing)) place = &counter;
  }
  if (place) *place = {owner, now_ms, 0};
  return place;
}

FeedbackGate::Ruling FeedbackGate::rule(const ServedRequest& served, std::uint64_t request,
                                        std::int64_t now_ms) {
  const std::uint64_t of_key = std::uint64_t{served.key} << 32 | served.target;
  const std::uint64_t id = mixed((served.session != 0 ? served.session : request) ^ mixed(of_key)) | 1;
  Session& session = sessions_[id % kSessions];
  if (session.id == id && now_ms - session.at_ms < kHourMs) return Ruling::same_session;
  Decaying* const key = find(keys_, mixed(of_key) | 1, now_ms);
  Decaying* const target = find(targets_, std::uint64_t{served.target} + 1, now_ms);
  if (!key || !target) return Ruling::key_share;
  const double own = key->at(now_ms) + 1, all = target->at(now_ms) + 1;
  if (own > kFreeAnHour && own > kShareMax * all) return Ruling::key_share;
  session = {id, now_ms};
  key->add(now_ms);
  target->add(now_ms);
  return Ruling::counts;
}

std::string_view name_of(FeedbackGate::Ruling ruling) {
  switch (ruling) {
    case FeedbackGate::Ruling::counts:
      return "counts";
    case FeedbackGate::Ruling::same_session:
      return "same_session";
    case FeedbackGate::Ruling::key_share:
      return "key_share";
  }
  return "unknown";
}

}  // namespace switchyard::scoring
