// The part of Relay that keeps responses, and goes on from one that was kept.
#include "adapters/dialects/openai_responses.h"
#include "gateway/relay/relay.h"
#include "gateway/relay/wait_clock.h"

#include <algorithm>

namespace switchyard::relay {

namespace {

std::string random_digits(std::mt19937_64& rng) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  auto bits = rng();
  for (int i = 0; i < 16; ++i, bits >>= 4) digits += kDigits[bits & 15];
  return digits;
}

}  // namespace

// With a store, reads what a request of the responses dialect says of state, and fetches the conversation
// that it continues and the items that it names. Sets error_ when there is no answer; an id that is not known
// here is no error: it may be the provider's own, and the body that names it passes through to one.
io::Task<void> Relay::find_earlier() {
  if (!snapshot_->ledger || caller_.dialect != &openai_responses()) co_return;
  const io::ByteBuffer& body = exchange_.request().body_buffer();
  auto read = responses::read_state(body.view(), body.capacity());
  if (!read) {
    error_ = read.error();
    co_return;
  }
  state_ = std::move(*read);
  // A caller may send one request id twice; what is kept needs an id of its own.
  reply_id_ = caller_.request_id;
  if (exchange_.request().header("x-request-id") == caller_.request_id)
    reply_id_ += "_" + random_digits(context_.rng);
  if (!state_->previous_id.empty()) co_await find_conversation();
  if (!error_) co_await find_named_items();
  if (ended_) error_ = end_error();
}

io::Task<void> Relay::find_conversation() {
  const store::Loop loop{context_.io_context, context_.deadlines};
  const WaitClock clock(waited_);
  auto found = co_await snapshot_->ledger->conversation(loop, key_name(), state_->previous_id);
  if (!found) {
    error_ = found.error();
  } else {
    earlier_ = std::move(*found);
  }
}

// The items of answers that the input names by their ids.
io::Task<void> Relay::find_named_items() {
  const io::ByteBuffer& body = exchange_.request().body_buffer();
  const auto ids = responses::referenced_responses(body.view(), body.capacity());
  const store::Loop loop{context_.io_context, context_.deadlines};
  std::vector<std::string> outputs;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < ids.size() && !ended_ && bytes <= store::Database::kConversationBytesMax; ++i) {
    const WaitClock clock(waited_);
    const auto found = co_await snapshot_->ledger->response(loop, key_name(), ids[i]);
    if (!found) {
      error_ = found.error();
      co_return;
    }
    auto finished = *found ? responses::read_finished(**found) : std::nullopt;
    if (!finished) continue;
    bytes += finished->output.size();
    outputs.push_back(std::move(finished->output));
  }
  if (outputs.empty()) co_return;
  names_kept_items_ = true;
  input_items_ = responses::resolve_references(responses::input_items(body.view(), body.capacity()), outputs);
}

std::string Relay::key_name() const {
  return caller_.key ? caller_.key->name : std::string();
}

Result<ChatRequest> Relay::parse_with_earlier(std::string_view body) const {
  if (!state_) return caller_.dialect->parse_request(body);
  if (!earlier_ && !state_->previous_id.empty()) return responses::previous_not_found(state_->previous_id);
  const std::string_view earlier = earlier_ ? std::string_view(*earlier_) : std::string_view();
  const std::string_view items = names_kept_items_ ? std::string_view(input_items_) : std::string_view();
  auto request = responses::parse_request(body, earlier, items);
  if (request && state_->store) std::erase(request->unmapped, "store");  // It is done here.
  return request;
}

// The reply that is being prepared will be written here, so it is this gateway's to keep.
void Relay::begin_keeping(ReplyContext& context) {
  if (!state_) return;
  context.request_id = reply_id_;
  context.store = state_->store;
  context.previous_response_id = state_->previous_id;
  keeps_ = state_->store;
  if (!keeps_ || !input_items_.empty()) return;
  const io::ByteBuffer& body = exchange_.request().body_buffer();
  input_items_ = responses::input_items(body.view(), body.capacity());
}

// Called before the last byte goes out: who asks for the response at once finds it.
void Relay::keep(std::string_view object) {
  if (!keeps_) return;
  auto finished = responses::read_finished(object);
  if (!finished) return;
  keeps_ = false;
  store::Entry entry;
  entry.id = std::move(finished->id);
  entry.key = key_name();
  entry.previous = state_->previous_id;
  entry.model = std::move(finished->model);
  entry.created_s = finished->created_s;
  entry.input = std::move(input_items_);
  entry.output = std::move(finished->output);
  entry.response = std::move(finished->object);
  snapshot_->ledger->put(std::move(entry));
}

void Relay::keep_end_of(const std::vector<std::string_view>& frames) {
  if (!keeps_ || frames.empty()) return;
  if (const auto object = responses::finished_in(frames.back())) keep(*object);
}

}  // namespace switchyard::relay
