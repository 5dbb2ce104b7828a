#include "tests/unit/dialects/golden.h"

#include "adapters/dialects/dialect.h"
#include "adapters/dialects/json.h"
#include "config/provider_types.h"
#include "tests/unit/dialects/aws_frames.h"
#include "tests/unit/dialects/dump.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <sstream>

namespace switchyard {

namespace {

constexpr std::string_view kMark = "=== ";

// The rest of `text` behind `prefix`, or nothing.
std::optional<std::string> behind(const std::string& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return text.substr(prefix.size());
}

std::string pretty(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  return (json.is_discarded() ? "no JSON: " + text : json.dump(2)) + '\n';
}

ReplyContext golden_context() {
  return {.request_id = "req_golden", .model = "asked-model", .created_s = 1767225600, .include_usage = true};
}

// "NAME" or "NAME for P/M".
std::optional<std::string> written(const ChatRequest& request, const std::string& target) {
  const std::size_t space = target.find(" for ");
  const Dialect* dialect = find_dialect(target.substr(0, space));
  if (!dialect) return std::nullopt;
  TargetTraits traits;
  traits.model = "target-model";
  if (space != std::string::npos) {
    const std::string place = target.substr(space + 5);
    const std::size_t slash = place.find('/');
    const ProviderType* type = find_provider_type(place.substr(0, slash));
    if (!type || slash == std::string::npos) return std::nullopt;
    traits = target_traits(*type, place.substr(slash + 1));
  }
  const auto result = dialect->write_request(request, traits);
  if (!result) return dump(result.error()) + '\n';
  std::string out = pretty(result->body);
  if (!result->dropped.empty()) out += "dropped:";
  for (const std::string& name : result->dropped) out += ' ' + name;
  if (!result->dropped.empty()) out += '\n';
  return out;
}

std::optional<std::string> derive_request(const Dialect& dialect, const std::string& body,
                                          const std::string& heading) {
  const auto request = dialect.parse_request(body);
  if (heading == "canonical") return request ? dump(*request) : dump(request.error()) + '\n';
  const auto target = behind(heading, "written as ");
  if (!target || !request) return std::nullopt;
  return written(*request, *target);
}

struct Parsed {
  std::vector<Event> events;
  std::optional<Error> failure;
};

Parsed parse_stream(const Dialect& dialect, std::string_view bytes) {
  Parsed parsed;
  const auto parser = dialect.make_event_parser();
  auto result = parser->feed(bytes, parsed.events);
  if (result) result = parser->finish(parsed.events);
  if (!result) parsed.failure = result.error();
  return parsed;
}

std::string stream_as(const Dialect& dialect, const Parsed& parsed) {
  std::string out;
  const auto writer = dialect.make_event_writer(golden_context());
  std::optional<Error> failure = parsed.failure;
  for (const Event& event : parsed.events) {
    if (const auto* failed = std::get_if<ReplyFailed>(&event)) {
      failure = failed->error;
    } else {
      writer->write(event, out);
    }
  }
  if (failure) {
    out += dialect.write_error_frame(*failure, golden_context().request_id);
  } else {
    writer->end(out);
  }
  return out;
}

std::string scanned(const Dialect& dialect, std::string_view bytes) {
  const auto scanner = dialect.make_scanner({});
  if (!scanner) return "no client speaks it\n";
  std::vector<std::string_view> views;
  std::string forwarded;
  const auto take = [&] {
    for (const std::string_view view : views) forwarded += view;
    views.clear();
  };
  auto result = scanner->feed(std::span(&bytes, 1), views);
  take();
  if (result) result = scanner->finish(views);
  take();
  std::ostringstream out;
  out << (forwarded == bytes ? "forwarded as it is"
                             : "forwarded " + std::to_string(forwarded.size()) + " of " +
                                   std::to_string(bytes.size()) + " bytes")
      << (scanner->has_content() ? ", content" : ", no content")
      << (scanner->is_complete() ? ", complete\n" : ", not complete\n");
  if (scanner->usage()) out << dump(*scanner->usage()) << '\n';
  if (scanner->error()) out << dump(*scanner->error()) << '\n';
  if (!result) out << dump(result.error()) << '\n';
  return out.str();
}

std::optional<std::string> derive_stream(const Dialect& dialect, const std::string& body,
                                         const std::string& heading) {
  const std::string bytes = stream_bytes(dialect, body);
  if (heading == "scanned") return scanned(dialect, bytes);
  const Parsed parsed = parse_stream(dialect, bytes);
  if (heading == "events") {
    return dump(parsed.events) + (parsed.failure ? dump(*parsed.failure) + '\n' : "");
  }
  const auto name = behind(heading, "stream as ");
  const Dialect* target = name ? find_dialect(*name) : nullptr;
  if (!target) return std::nullopt;
  return stream_as(*target, parsed);
}

std::optional<std::string> derive_reply(const Dialect& dialect, const std::string& body,
                                        const std::string& heading) {
  std::vector<Event> events;
  const auto result = dialect.parse_reply(body, events);
  if (heading == "events") return dump(events) + (result ? "" : dump(result.error()) + '\n');
  const auto name = behind(heading, "reply as ");
  const Dialect* target = name ? find_dialect(*name) : nullptr;
  if (!target || !result) return std::nullopt;
  return pretty(target->write_reply(events, golden_context()));
}

std::optional<std::string> derive_error(const Dialect& dialect, const std::string& status,
                                        const std::string& body, const std::string& heading) {
  int number = 0;
  std::from_chars(status.data(), status.data() + status.size(), number);
  const Error error = dialect.parse_error(number, body);
  if (heading == "error") return dump(error) + '\n';
  const auto name = behind(heading, "error as ");
  const Dialect* target = name ? find_dialect(*name) : nullptr;
  if (!target) return std::nullopt;
  const WrittenError written = target->write_error(error, golden_context().request_id);
  return std::to_string(written.status) + '\n' + pretty(written.body);
}

}  // namespace

std::string stream_bytes(const Dialect& dialect, const std::string& body) {
  if (dialect.framing() == Framing::aws_event_stream) return encode_aws_frames(body);
  return body.substr(0, body.find("<cut>"));
}

GoldenFile split_golden(const std::string& text) {
  GoldenFile file;
  std::string* body = &file.prose;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string line = text.substr(at, end - at);
    at = end;
    if (line.starts_with(kMark)) {
      file.sections.push_back(
          {line.substr(kMark.size(), line.find_last_not_of("\r\n") + 1 - kMark.size()), {}});
      body = &file.sections.back().body;
    } else {
      *body += line;
    }
  }
  return file;
}

std::string join_golden(const GoldenFile& file) {
  std::string text = file.prose;
  for (const GoldenSection& section : file.sections) {
    if (!text.empty() && text.back() != '\n') text += '\n';
    text += std::string(kMark) + section.heading + '\n' + section.body;
  }
  return text;
}

bool is_given(const std::string& heading) {
  return heading.starts_with("parse request") || heading.starts_with("upstream ");
}

std::optional<std::string> derive_golden(const std::string& dialect, const GoldenSection& given,
                                         const std::string& heading) {
  const Dialect* source = find_dialect(dialect);
  if (!source) return std::nullopt;
  if (given.heading == "parse request") return derive_request(*source, given.body, heading);
  if (const auto name = behind(given.heading, "parse request of ")) {
    const Dialect* caller = find_dialect(*name);
    return caller ? derive_request(*caller, given.body, heading) : std::nullopt;
  }
  if (given.heading == "upstream stream") return derive_stream(*source, given.body, heading);
  if (given.heading == "upstream reply") return derive_reply(*source, given.body, heading);
  if (const auto status = behind(given.heading, "upstream error ")) {
    return derive_error(*source, *status, given.body, heading);
  }
  return std::nullopt;
}

}  // namespace switchyard
