#include "adapters/dialects/openai_responses_state.h"

#include "adapters/canonical/json_text.h"
#include "adapters/dialects/openai_responses_output.h"
#include "adapters/dialects/openai_responses_request.h"
#include "adapters/dialects/walk.h"

#include <simdjson.h>

#include <algorithm>
#include <unordered_map>

namespace switchyard::responses {

namespace {

namespace ondemand = simdjson::ondemand;

Error not_json() {
  return fail(ErrorKind::invalid_request, "the body is not valid JSON");
}

std::string as_list(std::string_view input) {
  if (!input.starts_with('"')) return std::string(input);
  std::string items = R"([{"type":"message","role":"user","content":)";
  items += input;
  items += "}]";
  return items;
}

constexpr std::string_view kReference = "item_reference";

// The response that an item's id is of: "msg_X_0" is the first item of "resp_X". Empty for another's id.
std::string response_of(std::string_view item_id) {
  const auto begin = item_id.find('_'), end = item_id.rfind('_');
  if (begin == std::string_view::npos || end <= begin + 1 || end + 1 == item_id.size()) return {};
  if (item_id.find_first_not_of("0123456789", end + 1) != std::string_view::npos) return {};
  return response_id(item_id.substr(begin + 1, end - begin - 1));
}

}  // namespace

Result<StateFields> read_state(std::string_view body, std::size_t capacity) {
  OnDemand document;
  ondemand::object request;
  if (document.open(body, capacity, request)) return not_json();
  StateFields state;
  for (auto field : request) {
    std::string_view name;
    if (field.error() || field.unescaped_key().get(name)) return not_json();
    const bool is_id = name == "previous_response_id", is_store = name == "store";
    if (!is_id && !is_store) continue;
    ondemand::value value = field.value_unsafe().value();
    bool is_null = false;
    if (value.is_null().get(is_null)) return not_json();
    if (is_null) continue;
    std::string_view text;
    if (is_store && value.get_bool().get(state.store)) return wrong("store", "must be true or false");
    if (!is_id) continue;
    if (value.get_string().get(text)) return wrong("previous_response_id", "must be a string");
    state.previous_id = text;
  }
  return state;
}

std::string input_items(std::string_view body, std::size_t capacity) {
  OnDemand document;
  ondemand::object request;
  if (document.open(body, capacity, request)) return {};
  std::string items;
  for (auto field : request) {
    std::string_view name, text;
    if (field.error() || field.unescaped_key().get(name)) return {};
    if (name != "input") continue;
    if (walk_text(field.value_unsafe().value(), text)) return {};
    items = as_list(text);
  }
  return items;
}

std::vector<std::string> referenced_responses(std::string_view body, std::size_t capacity) {
  std::vector<std::string> ids;
  if (body.find(kReference) == std::string_view::npos) return ids;
  const auto items = parse_list(input_items(body, capacity), "input");
  if (!items) return ids;
  for (const Json& item : *items) {
    if (text_of(item, "type") != kReference) continue;
    std::string id = response_of(text_of(item, "id"));
    if (id.empty() || std::ranges::find(ids, id) != ids.end()) continue;
    if (ids.size() == kReferencedMax) break;
    ids.push_back(std::move(id));
  }
  return ids;
}

std::string resolve_references(std::string_view items, const std::vector<std::string>& outputs) {
  auto list = parse_list(items, "input");
  if (!list) return std::string(items);
  std::unordered_map<std::string, Json> known;
  for (const std::string& output : outputs) {
    auto answer = parse_list(output, "output");
    if (!answer) continue;
    for (Json& item : *answer) {
      std::string id = text_of(item, "id");
      known.insert_or_assign(std::move(id), std::move(item));
    }
  }
  for (Json& item : *list) {
    if (text_of(item, "type") != kReference) continue;
    if (const auto found = known.find(text_of(item, "id")); found != known.end()) item = found->second;
  }
  return to_text(*list);
}

std::optional<FinishedResponse> read_finished(std::string_view object) {
  OnDemand document;
  ondemand::object response;
  if (document.open(object, object.size(), response)) return std::nullopt;
  FinishedResponse finished;
  finished.object = object;
  for (auto field : response) {
    std::string_view name, text;
    if (field.error() || field.unescaped_key().get(name)) return std::nullopt;
    ondemand::value value = field.value_unsafe().value();
    if (name == "id" || name == "model" || name == "status") {
      if (value.get_string().get(text)) return std::nullopt;
      if (name == "status" && text != "completed" && text != "incomplete") return std::nullopt;
      if (name == "id") finished.id = text;
      if (name == "model") finished.model = text;
    } else if (name == "created_at") {
      if (value.get_int64().get(finished.created_s)) return std::nullopt;
    } else if (name == "output") {
      if (walk_text(value, text)) return std::nullopt;
      finished.output = text;
    }
  }
  if (finished.id.empty() || finished.output.empty()) return std::nullopt;
  return finished;
}

std::optional<std::string> finished_in(std::string_view frames) {
  constexpr std::string_view kEnd = "\n\n", kData = "\ndata: ";
  if (!frames.ends_with(kEnd)) return std::nullopt;
  frames.remove_suffix(kEnd.size());
  // JSON has no newline of its own, so an empty line is between events.
  if (const auto last = frames.rfind(kEnd); last != std::string_view::npos)
    frames.remove_prefix(last + kEnd.size());
  const bool is_end =
      frames.starts_with("event: response.completed\n") || frames.starts_with("event: response.incomplete\n");
  const auto data = frames.find(kData);
  if (!is_end || data == std::string_view::npos) return std::nullopt;
  frames.remove_prefix(data + kData.size());
  OnDemand document;
  ondemand::object event;
  if (document.open(frames, frames.size(), event)) return std::nullopt;
  for (auto field : event) {
    std::string_view name, text;
    if (field.error() || field.unescaped_key().get(name)) return std::nullopt;
    if (name != "response") continue;
    if (walk_text(field.value_unsafe().value(), text)) return std::nullopt;
    return std::string(text);
  }
  return std::nullopt;
}

std::string write_deleted(std::string_view id) {
  std::string out = R"({"id":)";
  append_json_string(id, out);
  out += R"(,"object":"response","deleted":true})";
  return out;
}

Error previous_not_found(std::string_view id) {
  Error error(ErrorKind::unsupported, "Previous response with id '" + plain(id) + "' not found.",
              "previous_response_id");
  error.code = "previous_response_not_found";
  return error;
}

Error response_not_found(std::string_view id) {
  return fail(ErrorKind::not_found, "Response with id '" + plain(id) + "' not found.");
}

}  // namespace switchyard::responses
