#pragma once

#include "adapters/canonical/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// simdjson's dom, without its header: it is heavy.
namespace simdjson::dom {
class element;
}

namespace switchyard {

// Documents whose member order matters to a model (schemas, arguments) keep it.
using Json = nlohmann::ordered_json;

// Parses a request's body. Fails with invalid_request: no JSON, not UTF-8, no object, over one of the limits
// below (a document over them is an attack on whoever walks it).
Result<Json> parse_object(std::string_view body);
inline constexpr int kJsonDepthMax = 256;
inline constexpr int kJsonMembersMax = 512;     // Of one object.
inline constexpr int kJsonValuesMax = 200'000;  // In all.

// The same for a list that is no body of its own; `what` names it in the message.
Result<Json> parse_list(std::string_view text, const std::string& what);

// The JSON text of an argument object: `text` itself when it is one, "{}" when it is blank. Fails with
// invalid_request naming `param`.
Result<Json> parse_arguments(std::string_view text, const std::string& param);

// A member of an object, or null when it is absent or JSON null: both mean "not given" in these dialects.
const Json* find_member(const Json& object, std::string_view name);

// Reads a member of the wanted type into `out` and leaves it as it is when the member is absent or null.
// Fails with invalid_request naming `path` + name otherwise. An integer written as 5.0 is one.
Result<> read_string(const Json& object, std::string_view name, std::string& out,
                     const std::string& path = {});
Result<> read_bool(const Json& object, std::string_view name, std::optional<bool>& out,
                   const std::string& path = {});
Result<> read_int(const Json& object, std::string_view name, std::optional<std::int64_t>& out,
                  const std::string& path = {});
Result<> read_number(const Json& object, std::string_view name, std::optional<double>& out,
                     const std::string& path = {});

// The document as text; bytes that are not UTF-8 become U+FFFD.
std::string to_text(const Json& json);

// Parses one event or reply with simdjson into memory of this thread: the element lives until the next call
// on it. A worker has thousands of streams and one such memory, not one each. Fails with bad_reply.
// `readable`: how many bytes behind the text may be read; with less than simdjson's padding it is copied.
Result<simdjson::dom::element> parse_event_json(std::string_view text, std::size_t readable = 0);

// The string, or empty for anything else.
std::string_view string_at(const simdjson::dom::element& element, std::string_view name);
// The number, or 0 for anything else; fractions are cut off.
std::int64_t integer_of(const simdjson::dom::element& value);
std::int64_t integer_at(const simdjson::dom::element& element, std::string_view name);

}  // namespace switchyard
