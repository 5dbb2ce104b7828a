#include "adapters/dialects/dialect.h"
#include "adapters/dialects/json.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace switchyard {

namespace {

namespace ondemand = simdjson::ondemand;

static_assert(kBodyPadding >= simdjson::SIMDJSON_PADDING);

constexpr std::size_t kKeptBytesMax = 1u << 20;  // A parser that grew for a larger body is replaced.

Error not_json() {
  return fail(ErrorKind::invalid_request, "the body is not valid JSON");
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool has_good_escapes(std::string_view text) {
  for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at)) {
    const char kind = at + 1 < text.size() ? text[at + 1] : ' ';
    if (kind == 'u') {
      if (at + 6 > text.size() || !std::ranges::all_of(text.substr(at + 2, 4), is_hex)) return false;
      at += 6;
    } else if (std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos) {
      at += 2;
    } else {
      return false;
    }
  }
  return true;
}

// Walks a value that is of no interest, so that only well-formed JSON goes on to a provider. Without a tree,
// what it takes is the index of the parser: four bytes for each bracket, comma, colon, string and number.
simdjson::error_code walk(ondemand::value value, int depth) {
  if (depth > kJsonDepthMax) return simdjson::DEPTH_ERROR;
  ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  switch (type) {
    case ondemand::json_type::object: {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return error;
      for (auto field : object) {
        if (field.error()) return field.error();
        if (const auto error = walk(field.value_unsafe().value(), depth + 1)) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::array: {
      ondemand::array array;
      if (const auto error = value.get_array().get(array)) return error;
      for (auto element : array) {
        if (element.error()) return element.error();
        if (const auto error = walk(element.value_unsafe(), depth + 1)) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::string: {
      // Without copying it out: the index has found its end, its control characters and its UTF-8 to be
      // right.
      return has_good_escapes(value.raw_json_token()) ? simdjson::SUCCESS : simdjson::STRING_ERROR;
    }
    case ondemand::json_type::number: {
      ondemand::number number;
      const auto error = value.get_number().get(number);
      // An integer of more than 64 bits is JSON all the same.
      return error == simdjson::NUMBER_ERROR &&
                     value.raw_json_token().find_first_of(".eE") == std::string_view::npos &&
                     value.raw_json_token().size() > 18
                 ? simdjson::SUCCESS
                 : error;
    }
    case ondemand::json_type::boolean: {
      bool unused;
      return value.get_bool().get(unused);
    }
    case ondemand::json_type::null: {
      bool is_null = false;
      const auto error = value.is_null().get(is_null);
      return error || is_null ? error : simdjson::N_ATOM_ERROR;
    }
  }
  return simdjson::INCORRECT_TYPE;
}

// Reads the members that matter, once each: a body that two readers could read in two ways is refused.
class EnvelopeReader {
 public:
  EnvelopeReader(std::string_view body, Envelope& envelope) : body_(body), envelope_(envelope) {}

  Result<> read(ondemand::object object) {
    for (auto field : object) {
      std::string_view name;
      if (field.error() || field.unescaped_key().get(name)) return not_json();
      ondemand::value value = field.value_unsafe().value();
      Result<> taken;
      if (name == "model") {
        taken = once(has_model_, "model") ? model(value) : twice("model");
      } else if (name == "stream") {
        taken = once(has_stream_, "stream") ? boolean(value, "stream", envelope_.stream) : twice("stream");
      } else if (name == "stream_options") {
        taken = once(has_options_, "stream_options") ? options(value) : twice("stream_options");
      } else if (walk(value, 2)) {
        taken = not_json();
      }
      if (!taken) return taken;
    }
    if (!has_model_) return fail(ErrorKind::invalid_request, "model is required", "model");
    return {};
  }

 private:
  static bool once(bool& seen, std::string_view) { return !std::exchange(seen, true); }

  static Error twice(const char* name) {
    return fail(ErrorKind::invalid_request, std::string(name) + " is given twice", name);
  }

  Result<> model(ondemand::value value) {
    std::string_view token = value.raw_json_token();
    std::string_view text;
    ondemand::json_type type;
    if (value.type().get(type)) return not_json();
    if (type != ondemand::json_type::string) {
      return fail(ErrorKind::invalid_request, "model must be a string", "model");
    }
    if (value.get_string().get(text)) return not_json();
    if (text.empty()) return fail(ErrorKind::invalid_request, "model must not be empty", "model");
    while (token.back() != '"') token.remove_suffix(1);  // White space up to the next token.
    envelope_.model = text;
    envelope_.model_begin = static_cast<std::size_t>(token.data() - body_.data());
    envelope_.model_end = envelope_.model_begin + token.size();
    return {};
  }

  static Result<> boolean(ondemand::value value, const char* name, bool& out) {
    ondemand::json_type type;
    if (value.type().get(type)) return not_json();
    if (type == ondemand::json_type::null) return walk(value, 2) ? Result<>(not_json()) : Result<>();
    if (type != ondemand::json_type::boolean) {
      return fail(ErrorKind::invalid_request, std::string(name) + " must be true or false", name);
    }
    if (value.get_bool().get(out)) return not_json();
    return {};
  }

  Result<> options(ondemand::value value) {
    ondemand::json_type type;
    if (value.type().get(type)) return not_json();
    if (type == ondemand::json_type::null) return walk(value, 2) ? Result<>(not_json()) : Result<>();
    if (type != ondemand::json_type::object) {
      return fail(ErrorKind::invalid_request, "stream_options must be an object", "stream_options");
    }
    envelope_.has_stream_options = true;
    ondemand::object object;
    if (value.get_object().get(object)) return not_json();
    for (auto field : object) {
      std::string_view name;
      if (field.error() || field.unescaped_key().get(name)) return not_json();
      ondemand::value member = field.value_unsafe().value();
      if (name == "include_usage") {
        if (const auto taken = boolean(member, "stream_options.include_usage", envelope_.include_usage);
            !taken) {
          return taken;
        }
      } else if (walk(member, 3)) {
        return not_json();
      }
    }
    return {};
  }

  std::string_view body_;
  Envelope& envelope_;
  bool has_model_ = false, has_stream_ = false, has_options_ = false;
};

}  // namespace

Result<Envelope> read_envelope(std::string_view body, std::size_t capacity) {
  thread_local ondemand::parser parser;
  if (parser.capacity() > kKeptBytesMax) parser = ondemand::parser();
  std::unique_ptr<char[]> padded;
  if (capacity < body.size() + simdjson::SIMDJSON_PADDING) {
    capacity = body.size() + simdjson::SIMDJSON_PADDING;
    padded.reset(new char[capacity]());
    if (!body.empty()) std::memcpy(padded.get(), body.data(), body.size());
    body = {padded.get(), body.size()};
  }
  if (body.empty()) return fail(ErrorKind::invalid_request, "the body is empty");
  ondemand::document document;
  if (parser.iterate(body.data(), body.size(), capacity).get(document)) return not_json();
  ondemand::json_type type;
  if (document.type().get(type)) return not_json();
  if (type != ondemand::json_type::object) {
    return fail(ErrorKind::invalid_request, "the body must be a JSON object");
  }
  ondemand::object object;
  if (document.get_object().get(object)) return not_json();
  Envelope envelope;
  envelope.object_begin = body.find('{');
  if (const auto read = EnvelopeReader(body, envelope).read(object); !read) return read.error();
  const char* rest = nullptr;
  if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) return not_json();
  return envelope;
}

}  // namespace switchyard
