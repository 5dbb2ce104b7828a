// Anything as a Gemini stream, reply, error, and request: never a crash; the pieces in which bytes arrive
// change nothing; what is written is JSON, and a stream that is to be a JSON array is one.
#include "adapters/dialects/gemini.h"
#include "tests/fuzz/dialects/properties.h"

#include <cstdint>

namespace {

using namespace switchyard;

// The array that a scanner makes of a stream, ended as the gateway ends it.
std::string scanned_array(std::string_view body, std::size_t step) {
  const auto scanner = gemini().make_scanner({.drop_usage = false, .json_array = true});
  std::string out;
  std::vector<std::string_view> forward;
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
  if (!scanner->is_complete()) out += google::write_error_element(Error(), "req_1", !out.empty());
  return out;
}

std::string written_array(std::string_view body) {
  std::vector<Event> events;
  const auto parser = gemini().make_event_parser();
  if (parser->feed(body, events)) (void)parser->finish(events);
  ReplyContext context{"req_1", "m", 1, true};
  context.json_array = true;
  const auto writer = gemini().make_event_writer(context);
  std::string out;
  for (const Event& event : events) writer->write(event, out);
  writer->end(out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  fuzz::check_dialect(gemini(), bytes);
  const std::string array = scanned_array(bytes, std::max<std::size_t>(size, 1));
  fuzz::require(array == scanned_array(bytes, 1));
  fuzz::require_json(array);
  fuzz::require_json(written_array(bytes));
  (void)google::parse_count_request(bytes);
  return 0;
}
