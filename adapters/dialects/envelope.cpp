#include "adapters/dialects/dialect.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/walk.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace switchyard {

namespace {

namespace ondemand = simdjson::ondemand;

static_assert(kBodyPadding >= simdjson::SIMDJSON_PADDING);

Error not_json() {
  return fail(ErrorKind::invalid_request, "the body is not valid JSON");
}

// Reads the members that matter, once each: a body that two readers could read in two ways is refused.
class EnvelopeReader {
 public:
  EnvelopeReader(std::string_view body, bool needs_model, Envelope& envelope)
      : body_(body), needs_model_(needs_model), envelope_(envelope) {}

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
    if (!has_model_ && needs_model_) return fail(ErrorKind::invalid_request, "model is required", "model");
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
  bool needs_model_;
  Envelope& envelope_;
  bool has_model_ = false, has_stream_ = false, has_options_ = false;
};

}  // namespace

Result<Envelope> read_envelope(std::string_view body, std::size_t capacity, bool needs_model) {
  if (body.empty()) return fail(ErrorKind::invalid_request, "the body is empty");
  OnDemand document;
  ondemand::object object;
  const auto error = document.open(body, capacity, object);
  if (error == simdjson::INCORRECT_TYPE) {
    return fail(ErrorKind::invalid_request, "the body must be a JSON object");
  }
  if (error) return not_json();
  Envelope envelope;
  envelope.object_begin = body.find('{');
  if (const auto read = EnvelopeReader(document.text(), needs_model, envelope).read(object); !read)
    return read.error();
  if (!document.at_end()) return not_json();
  return envelope;
}

}  // namespace switchyard
