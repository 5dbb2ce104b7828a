#include "local_backend/model/tokenizer.h"

#include "local_backend/model/pretokenizer.h"
#include "local_backend/model/utf8.h"

#include <algorithm>
#include <queue>
#include <utility>

namespace switchyard::local {
namespace {

// GGUF's token types: 3 is a control token, 4 a user-defined one.
constexpr int kControl = 3;

// GPT-2 spells every byte as one printable character: those that are printable stand for themselves, the
// others for U+0100 and up, in order.
std::unordered_map<char32_t, unsigned char> byte_of_character() {
  std::unordered_map<char32_t, unsigned char> table;
  char32_t next = 256;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    table.emplace(printable ? byte : next++, static_cast<unsigned char>(byte));
  }
  return table;
}

// The bytes that a spelling stands for; nothing when it holds a character that spells no byte.
std::optional<std::string> spelled(std::string_view spelling) {
  static const auto table = byte_of_character();
  std::string out;
  while (!spelling.empty()) {
    const Utf8Step step = utf8_step(spelling);
    const auto found = table.find(step.code_point);
    if (step.kind != Utf8Step::Kind::sequence || found == table.end()) return std::nullopt;
    out += static_cast<char>(found->second);
    spelling.remove_prefix(step.bytes);
  }
  return out;
}

std::uint64_t pair_key(int left, int right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

// A piece under merging: a doubly linked list of ids.
struct Symbol {
  int id, previous, next;  // Positions; -1: none. id -1: merged away.
};

struct Candidate {
  int rank, left, left_id, right_id;
};

// The lowest rank first, the leftmost of equals.
struct Later {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  }
};

}  // namespace

Tokenizer::Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::load(const Gguf& file) {
  const auto model = file.text("tokenizer.ggml.model");
  if (!model) return model.error();
  if (*model != "gpt2")
    return fail("metadata 'tokenizer.ggml.model': '" + std::string(model->substr(0, 64)) +
                "' is not supported (byte-level BPE, 'gpt2', is)");
  const auto name = file.text("tokenizer.ggml.pre");
  if (!name) return name.error();
  auto pre = PreTokenizer::make(*name);
  if (!pre) return pre.error();
  Tokenizer out;
  out.pre_ = std::move(*pre);
  if (auto ok = out.read_tokens(file); !ok) return ok.error();
  if (auto ok = out.read_merges(file); !ok) return ok.error();
  if (auto ok = out.read_special(file); !ok) return ok.error();
  out.id_of_.clear();
  return out;
}

Result<void> Tokenizer::read_tokens(const Gguf& file) {
  const auto tokens = file.texts("tokenizer.ggml.tokens");
  if (!tokens) return tokens.error();
  const auto found = file.metadata.find("tokenizer.ggml.token_type");
  const auto* types = found == file.metadata.end() ? nullptr : std::get_if<NumberArray>(&found->second);
  if (found != file.metadata.end() && (!types || types->count != (*tokens)->size()))
    return fail("metadata 'tokenizer.ggml.token_type' is not a list of numbers, one a token");
  if ((*tokens)->empty() || (*tokens)->size() > (1U << 24))
    return fail("metadata 'tokenizer.ggml.tokens' has no usable length");
  for (const auto token : **tokens) {
    const int id = size();
    const bool control = types && types->at(static_cast<std::uint64_t>(id)) == kControl;
    if (control) special_.emplace(token, id);
    // A user-defined token is spelled as plain text: what cannot be unspelled is taken as it stands.
    bytes_.push_back(control ? std::string() : spelled(token).value_or(std::string(token)));
    longest_bytes_ = std::max(longest_bytes_, bytes_.back().size());
    if (!control) id_of_.emplace(token, id);
  }
  ends_.assign(bytes_.size(), false);
  for (const auto& [character, byte] : byte_of_character()) {
    std::string spelling;
    if (character < 0x80)
      spelling = static_cast<char>(character);
    else
      spelling = {static_cast<char>(0xC0 | character >> 6), static_cast<char>(0x80 | (character & 0x3F))};
    const auto at = id_of_.find(spelling);
    if (at == id_of_.end())
      return fail("metadata 'tokenizer.ggml.tokens' has no token for byte " + std::to_string(byte));
    byte_id_[byte] = at->second;
  }
  return {};
}

Result<void> Tokenizer::read_merges(const Gguf& file) {
  const auto merges = file.texts("tokenizer.ggml.merges");
  if (!merges) return merges.error();
  int rank = 0;
  for (const auto merge : **merges) {
    const auto bad = [&](const char* why) {
      return fail("metadata 'tokenizer.ggml.merges': entry " + std::to_string(rank) + why);
    };
    const auto space = merge.find(' ', 1);
    if (space == std::string_view::npos) return bad(" is no pair");
    const std::string left(merge.substr(0, space)), right(merge.substr(space + 1));
    const auto l = id_of_.find(left), r = id_of_.find(right), both = id_of_.find(left + right);
    if (l == id_of_.end() || r == id_of_.end() || both == id_of_.end()) return bad(" names what is no token");
    merges_.emplace(pair_key(l->second, r->second), Merge{rank, both->second});
    ++rank;
  }
  return {};
}

Result<void> Tokenizer::read_special(const Gguf& file) {
  const auto id_at = [&](std::string_view key) -> Result<std::optional<int>> {
    if (!file.metadata.contains(key)) return std::optional<int>();
    const auto id = file.number(key);
    if (!id) return id.error();
    if (*id >= bytes_.size()) return fail("metadata '" + std::string(key) + "' is no token's id");
    return std::optional<int>(static_cast<int>(*id));
  };
  for (const auto key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const auto id = id_at(key);
    if (!id) return id.error();
    if (*id) ends_[static_cast<std::size_t>(**id)] = true;
  }
  for (const auto name : {"<|im_end|>", "<|endoftext|>"})
    if (const auto id = special(name)) ends_[static_cast<std::size_t>(*id)] = true;
  const auto added = [&](const std::string& which) -> Result<std::optional<int>> {
    const std::string wish = "tokenizer.ggml.add_" + which + "_token",
                      key = "tokenizer.ggml." + which + "_token_id";
    const auto add = file.metadata.find(wish);
    if (add == file.metadata.end()) return std::optional<int>();
    const auto* wanted = std::get_if<bool>(&add->second);
    if (!wanted) return fail("metadata '" + wish + "' is not true or false");
    if (!*wanted) return std::optional<int>();
    auto id = id_at(key);
    if (id && !*id) return fail("metadata '" + key + "' is missing");
    return id;
  };
  const auto bos = added("bos"), eos = added("eos");
  if (!bos) return bos.error();
  if (!eos) return eos.error();
  bos_ = *bos;
  eos_ = *eos;
  return {};
}

std::optional<int> Tokenizer::special(std::string_view name) const {
  const auto found = special_.find(std::string(name));
  if (found == special_.end()) return std::nullopt;
  return found->second;
}

void Tokenizer::encode(std::string_view text, std::vector<int>& ids) const {
  const std::string valid = valid_utf8(text);
  for (const auto piece : pre_->split(valid)) encode_piece(piece, ids);
}

std::size_t Tokenizer::last_piece(std::string_view text) const {
  const auto pieces = pre_->split(text);
  return pieces.empty() ? 0 : text.size() - pieces.back().size();
}

// Joins the neighbouring pair of the lowest rank until no pair is a merge. With a heap, so that a piece of n
// bytes takes n log n steps: pieces come from outside and have no limit of their own.
void Tokenizer::encode_piece(std::string_view piece, std::vector<int>& ids) const {
  const int count = static_cast<int>(piece.size());
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  for (int i = 0; i < count; ++i)
    symbols.push_back({byte_id_[static_cast<unsigned char>(piece[static_cast<std::size_t>(i)])], i - 1,
                       i + 1 < count ? i + 1 : -1});
  std::priority_queue<Candidate, std::vector<Candidate>, Later> heap;
  const auto at = [&](int i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  const auto offer = [&](int left) {
    if (left < 0 || at(left).next < 0) return;
    const int right_id = at(at(left).next).id;
    const auto found = merges_.find(pair_key(at(left).id, right_id));
    if (found != merges_.end()) heap.push({found->second.rank, left, at(left).id, right_id});
  };
  for (int i = 0; i < count; ++i) offer(i);
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    const int right = at(best.left).next;
    if (at(best.left).id != best.left_id || right < 0 || at(right).id != best.right_id)
      continue;  // Out of date.
    at(best.left).id = merges_.find(pair_key(best.left_id, best.right_id))->second.result;
    at(best.left).next = at(right).next;
    if (at(right).next >= 0) at(at(right).next).previous = best.left;
    at(right).id = -1;
    offer(at(best.left).previous);
    offer(best.left);
  }
  for (int i = 0; i >= 0 && i < count; i = at(i).next) ids.push_back(at(i).id);
}

}  // namespace switchyard::local
