// Properties: whatever the text, its tokens are of the vocabulary, none is special, and together they are the
// text (U+FFFD for what is no UTF-8). Joined again from pieces of any size, it passes the stop filter as if
// it came whole. The first byte of the input is the pieces' size, the second the length of the stop string
// that follows.
#include "local_backend/engine/engine.h"
#include "local_backend/engine/stop.h"
#include "local_backend/model/tokenizer.h"
#include "local_backend/model/utf8.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace switchyard::local;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

const Tokenizer& tokenizer() {
  static const Tokenizer kLoaded = [] {
    const auto file = parse_gguf(bundled_model());
    require(file.has_value());
    auto loaded = Tokenizer::load(*file);
    require(loaded.has_value());
    return std::move(*loaded);
  }();
  return kLoaded;
}

std::string check_tokens(std::string_view text) {
  std::vector<int> ids;
  tokenizer().encode(text, ids);
  std::string joined;
  for (const int id : ids) {
    require(id > 2 && id < tokenizer().size());  // 0 to 2 are the special tokens.
    joined += tokenizer().bytes(id);
  }
  require(ids.size() * tokenizer().longest_bytes() >= text.size());
  require(joined == valid_utf8(text));
  return joined;
}

// What goes out before the stop string, with the text in pieces of `size` bytes.
std::string filtered(std::string_view text, const std::string& stop, std::size_t size) {
  StopFilter filter({stop});
  Utf8Stream utf8;
  std::string out;
  for (; !text.empty() && !filter.stopped(); text.remove_prefix(std::min(size, text.size()))) {
    const std::string whole = utf8.feed(text.substr(0, size));
    require(valid_utf8(whole) == whole);
    out += filter.feed(whole);
  }
  if (!filter.stopped()) out += filter.feed(utf8.finish());
  if (!filter.stopped()) out += filter.finish();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.size() < 2) return 0;
  const auto piece = static_cast<std::size_t>(data[0] % 16 + 1),
             length = static_cast<std::size_t>(data[1] % 8);
  input.remove_prefix(2);
  const std::string stop(input.substr(0, length));
  input.remove_prefix(stop.size());
  const std::string text = check_tokens(input);
  const std::string before = stop.empty() ? text : text.substr(0, text.find(stop));
  require(filtered(input, stop, piece) == before);
  return 0;
}
