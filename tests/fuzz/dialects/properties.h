#pragma once

#include "adapters/dialects/dialect.h"
#include "tests/unit/dialects/dump.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

inline void require_json(std::string_view text) {
  require(nlohmann::json::accept(text));
}

inline const Dialect& other(const Dialect& dialect) {
  return &dialect == &openai_chat() ? anthropic_messages() : openai_chat();
}

// The events of a stream, and how it ended; the bytes come in one piece, or one by one.
inline std::string events_of(const Dialect& dialect, std::string_view body, bool bytewise) {
  const auto parser = dialect.make_event_parser();
  std::vector<Event> events;
  const std::size_t step = bytewise ? 1 : std::max<std::size_t>(body.size(), 1);
  Result<> fed;
  for (std::size_t i = 0; i < body.size() && fed; i += step) fed = parser->feed(body.substr(i, step), events);
  if (fed) fed = parser->finish(events);
  const auto writer = other(dialect).make_event_writer({"req_1", "m", 1, true});
  std::string out;
  for (const Event& event : events) writer->write(event, out);
  writer->end(out);
  return dump(merged(events)) + (fed ? "whole" : "broken");
}

// What a scanner hands on, and what it says of the stream.
inline std::string scan_of(const Dialect& dialect, std::string_view body, bool bytewise) {
  const auto scanner = dialect.make_scanner({.drop_usage = true});
  if (!scanner) return {};
  std::string out;
  std::vector<std::string_view> forward;
  const std::size_t step = bytewise ? 1 : std::max<std::size_t>(body.size(), 1);
  Result<> fed;
  for (std::size_t i = 0; i < body.size() && fed; i += step) {
    const std::string_view piece = body.substr(i, step);
    forward.clear();
    fed = scanner->feed({&piece, 1}, forward);
    for (const auto one : forward) out += one;
  }
  forward.clear();
  if (fed) fed = scanner->finish(forward);
  for (const auto one : forward) out += one;
  out += fed ? "whole" : "broken";
  out += scanner->has_content() ? "+content" : "-content";
  if (scanner->usage()) out += dump(*scanner->usage());
  return out;
}

// What holds for any bytes in any dialect.
inline void check_dialect(const Dialect& dialect, std::string_view bytes) {
  require(events_of(dialect, bytes, false) == events_of(dialect, bytes, true));
  require(scan_of(dialect, bytes, false) == scan_of(dialect, bytes, true));
  std::vector<Event> events;
  if (dialect.parse_reply(bytes, events)) {
    for (const Dialect* to : {&dialect, &other(dialect)})
      require_json(to->write_reply(events, {"req_1", "m", 1, true}));
  }
  (void)dialect.scan_reply(bytes);
  const Error error = dialect.parse_error(400, bytes);
  for (const Dialect* to : {&dialect, &other(dialect)}) require_json(to->write_error(error, "req_1").body);
  const auto request = dialect.parse_request(bytes);
  if (!request) return;
  TargetTraits target;
  target.model = "m";
  for (const Dialect* to : {&dialect, &other(dialect)}) {
    const auto written = to->write_request(*request, target);
    if (written) require_json(written->body);
  }
}

// What holds for any bytes towards a dialect that no client speaks: its requests are those of other dialects.
inline void check_written(const Dialect& dialect, std::string_view bytes) {
  for (const Dialect* from : {&openai_chat(), &anthropic_messages()}) {
    const auto request = from->parse_request(bytes);
    if (!request) continue;
    TargetTraits target;
    for (const std::string_view model : {"m", "us.anthropic.claude-opus-4-8"}) {
      target.model = model;
      target.prefill = target.audio = target.sampling_parameters;
      const auto written = dialect.write_request(*request, target);
      if (written) require_json(written->body);
      target.sampling_parameters = false;
    }
  }
}

}  // namespace switchyard::fuzz
