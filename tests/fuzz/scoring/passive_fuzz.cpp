// A request, and behind its first line break a reply's text: what is seen of it does not depend on the pieces
// that it comes in, but for how much of a script was looked at.
#include "gateway/scoring/passive.h"

#include <cstdlib>
#include <memory>

namespace switchyard::scoring {

namespace {

std::uint32_t bad_of(std::string_view body, const Envelope& envelope, std::string_view text,
                     std::size_t piece) {
  const auto memory = std::make_unique<WatchMemory>();
  const auto traits = std::make_unique<RequestTraits>();
  const auto watch = std::make_unique<ReplyWatch>();
  memory->read(openai_chat(), body, envelope, 1, 1000, *traits);
  watch->begin(*memory, *traits, 1, 2);
  for (std::size_t i = 0; i < text.size(); i += piece) watch->on_text(text.substr(i, piece));
  watch->on_tool_call(0, "a", "f", text);
  watch->on_finish(FinishReason::stop);
  Observation out;
  watch->end(ReplyWatch::End::complete, Usage{.input_tokens = 1, .output_tokens = 1 << 20}, 1000, out);
  if (out.bad & ~out.seen) std::abort();
  return out.bad;
}

}  // namespace

}  // namespace switchyard::scoring

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace switchyard;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\n');
  const std::string body(input.substr(0, end));
  const std::string_view text = end == input.npos ? std::string_view() : input.substr(end + 1);
  const auto envelope = read_envelope(body, body.size(), false);
  if (!envelope) return 0;
  const std::uint32_t whole = scoring::bad_of(body, *envelope, text, text.size() + 1);
  const std::uint32_t calls = bit(scoring::Signal::tool_call_invalid) | bit(scoring::Signal::output_invalid);
  if ((whole & calls) != (scoring::bad_of(body, *envelope, text, 5) & calls)) std::abort();
  return 0;
}
