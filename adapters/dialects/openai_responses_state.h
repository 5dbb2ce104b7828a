#pragma once

#include "adapters/canonical/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What of the OpenAI Responses dialect is about responses that a server keeps: enough to keep them, and to go
// on from one. Pure: where they are kept is the caller's affair.
namespace switchyard::responses {

struct StateFields {
  std::string previous_id;  // previous_response_id; empty for none.
  bool store = true;        // The API keeps what is not told otherwise.
};

// Reads them out of a request's bytes, without a tree. `capacity` as of read_envelope(). Fails with
// invalid_request naming the field.
Result<StateFields> read_state(std::string_view body, std::size_t capacity);

// The items of a request's own input as a JSON array: a text is the user's message. Empty for a body that
// parse_request() refuses. `capacity` as of read_envelope().
std::string input_items(std::string_view body, std::size_t capacity);

// Clients that count on a store send the items of answers by their ids ({"type":"item_reference","id":...}).
inline constexpr std::size_t kReferencedMax = 256;
// The responses whose items a request's input names so, as far as the ids are of the event writer's making:
// at most kReferencedMax. `capacity` as of read_envelope().
std::vector<std::string> referenced_responses(std::string_view body, std::size_t capacity);
// The items with each reference replaced by the item of its id out of `outputs`, the JSON arrays of answers.
// One that is in none of them stays.
std::string resolve_references(std::string_view items, const std::vector<std::string>& outputs);

// A response that ended well, completed or incomplete.
struct FinishedResponse {
  std::string id, model, output, object;  // `output`: the JSON array of its items; `object`: all of it.
  std::int64_t created_s = 0;
};

// Reads it out of a whole reply of this dialect. Nothing for what is none.
std::optional<FinishedResponse> read_finished(std::string_view object);
// The response object out of the last of a stream's frames, as the event writer made them. Nothing while the
// stream goes on.
std::optional<std::string> finished_in(std::string_view frames);

// The answer to a DELETE.
std::string write_deleted(std::string_view id);

// Of a request that continues a response which is not there. A target of this dialect may have it.
Error previous_not_found(std::string_view id);
// Of a request for a response that is not there.
Error response_not_found(std::string_view id);

}  // namespace switchyard::responses
