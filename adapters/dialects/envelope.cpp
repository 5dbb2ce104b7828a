#include "adapters/dialects/dialect.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/walk.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
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
  EnvelopeReader(OnDemand& document, bool needs_model, Envelope& envelope)
      : document_(document), body_(document.text()), needs_model_(needs_model), envelope_(envelope) {}

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
      } else {
        taken = note(name, value, 2);
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

  // Members that tell where a request should go and what its answer must be like. A group's members count
  // like those of the body: {"metadata": {"user_id": ...}}, Gemini's generationConfig.
  enum class Member {
    other,
    limit,
    choices,
    stop,
    user,
    effort,
    reasoning,
    conversation,
    tools,
    functions,
    format,
    mime_type,
    schema,
    group
  };

  struct Row {
    std::string_view name;
    Member member;
  };

  // By their lengths, the shortest first, so that a name meets few others.
  static constexpr std::array kMembers = {Row{"n", Member::choices},
                                          Row{"user", Member::user},
                                          Row{"stop", Member::stop},
                                          Row{"text", Member::format},
                                          Row{"input", Member::conversation},
                                          Row{"tools", Member::tools},
                                          Row{"prompt", Member::conversation},
                                          Row{"user_id", Member::user},
                                          Row{"messages", Member::conversation},
                                          Row{"contents", Member::conversation},
                                          Row{"thinking", Member::reasoning},
                                          Row{"metadata", Member::group},
                                          Row{"reasoning", Member::reasoning},
                                          Row{"functions", Member::functions},
                                          Row{"max_tokens", Member::limit},
                                          Row{"session_id", Member::user},
                                          Row{"stopSequences", Member::stop},
                                          Row{"output_config", Member::format},
                                          Row{"output_format", Member::format},
                                          Row{"stop_sequences", Member::stop},
                                          Row{"candidateCount", Member::choices},
                                          Row{"thinkingConfig", Member::reasoning},
                                          Row{"responseSchema", Member::schema},
                                          Row{"maxOutputTokens", Member::limit},
                                          Row{"response_format", Member::format},
                                          Row{"reasoning_effort", Member::effort},
                                          Row{"responseMimeType", Member::mime_type},
                                          Row{"generationConfig", Member::group},
                                          Row{"max_output_tokens", Member::limit},
                                          Row{"responseJsonSchema", Member::schema},
                                          Row{"max_completion_tokens", Member::limit}};
  static constexpr std::size_t kNameBytesMax = kMembers.back().name.size();

  static Member member_of(std::string_view name) {
    // Where the names of each length begin.
    static constexpr auto kFirst = [] {
      std::array<std::uint8_t, kNameBytesMax + 2> first{};
      for (std::size_t size = 0; size < first.size(); ++size) {
        while (first[size] < kMembers.size() && kMembers[first[size]].name.size() < size) ++first[size];
      }
      return first;
    }();
    if (name.size() > kNameBytesMax) return Member::other;
    for (std::size_t i = kFirst[name.size()]; i < kFirst[name.size() + 1]; ++i) {
      if (kMembers[i].name == name) return kMembers[i].member;
    }
    return Member::other;
  }

  // Walks a member, and notes what it says. A value of the wrong type says nothing here.
  Result<> note(std::string_view name, ondemand::value value, int depth) {
    const std::string_view token = value.raw_json_token();  // Of a list its bracket: what follows comes next.
    const Member member = member_of(name);
    switch (member) {
      case Member::limit:
        number(token, envelope_.output_tokens_max);
        break;
      case Member::choices:
        number(token, envelope_.choices);
        break;
      case Member::stop:
        envelope_.has_stop |= is_given(token);
        break;
      case Member::effort:
        envelope_.asks_to_reason |= !may_not_reason(token);
        break;
      case Member::functions:
        envelope_.has_tools |= is_given(token);
        break;
      case Member::mime_type:
        envelope_.wants_json = token.starts_with("\"application/json\"");
        break;
      case Member::user:
        return user(value, depth);
      case Member::conversation:
        return depth == 2 ? span(value, envelope_.conversation) : walked(value, depth);
      case Member::tools:
        if (depth > 2) return walked(value, depth);
        envelope_.has_tools |= is_given(token);
        return span(value, envelope_.tools);
      case Member::reasoning:
        return members(value, depth, [&](std::string_view inner, ondemand::value setting) {
          return reasoning(inner, setting, depth + 1);
        });
      case Member::format:
        return depth == 2 ? format(value) : walked(value, depth);
      case Member::group:
        return depth == 2 ? group(value, name) : walked(value, depth);
      case Member::schema:
      case Member::other:
        break;
    }
    return walked(value, depth);
  }

  static Result<> walked(ondemand::value value, int depth) {
    return walk(value, depth) ? Result<>(not_json()) : Result<>();
  }

  // Visits the members of an object; any other value is walked.
  template <class Visit>
  static Result<> members(ondemand::value value, int depth, Visit visit) {
    Result<> taken;
    const auto error = walk_members(value, depth, [&](std::string_view name, ondemand::value member) {
      taken = visit(name, member);
      return taken ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
    });
    return taken && error ? Result<>(not_json()) : taken;
  }

  Result<> span(ondemand::value value, Span& span) {
    const std::string_view token = value.raw_json_token();
    const auto begin = static_cast<std::size_t>(token.data() - body_.data());
    ondemand::json_type type;
    if (value.type().get(type) || walk(value, 2)) return not_json();
    if (type == ondemand::json_type::null) return {};
    const bool is_nested = type == ondemand::json_type::array || type == ondemand::json_type::object;
    span = {begin, is_nested ? document_.position() : begin + token.size()};
    return {};
  }

  // A list that is not empty, or any value but null.
  bool is_given(std::string_view token) const {
    const char* const next = token.data() + token.size();
    const bool is_empty = token.starts_with('[') && next < body_.data() + body_.size() && *next == ']';
    return !token.starts_with("null") && !is_empty;
  }

  // The values with which a model may answer without a thought.
  static bool may_not_reason(std::string_view token) {
    return std::ranges::any_of(
        std::initializer_list<std::string_view>{"\"disabled\"", "\"adaptive\"", "\"none\"", "\"minimal\"",
                                                "0", "-1", "null"},
        [&](std::string_view word) { return token.starts_with(word); });
  }

  Result<> reasoning(std::string_view name, ondemand::value value, int depth) {
    if (name == "type" || name == "effort" || name == "thinkingLevel" || name == "budget_tokens" ||
        name == "thinkingBudget") {
      envelope_.asks_to_reason |= !may_not_reason(value.raw_json_token());
    }
    return walked(value, depth);
  }

  Result<> user(ondemand::value value, int depth) {
    std::string_view text;
    if (!is_a(value, ondemand::json_type::string)) return walked(value, depth);
    if (value.get_string().get(text)) return not_json();
    envelope_.user = text;
    return {};
  }

  // {"type": "json_schema", ...}, at the top or, with other settings, in a member `format`.
  Result<> format(ondemand::value value) {
    const auto begin = static_cast<std::size_t>(value.raw_json_token().data() - body_.data());
    const auto type = [&](std::string_view name, ondemand::value member, int depth) {
      if (name == "type") envelope_.wants_json |= member.raw_json_token().starts_with("\"json");
      return walked(member, depth);
    };
    const auto read = members(value, 2, [&](std::string_view name, ondemand::value member) {
      if (name != "format") return type(name, member, 3);
      return members(member, 3, [&](std::string_view inner, ondemand::value setting) {
        return type(inner, setting, 4);
      });
    });
    if (read && envelope_.wants_json) envelope_.format = {begin, document_.position()};
    return read;
  }

  Result<> group(ondemand::value value, std::string_view group_name) {
    const auto begin = static_cast<std::size_t>(value.raw_json_token().data() - body_.data());
    const auto read = members(
        value, 2, [&](std::string_view name, ondemand::value member) { return note(name, member, 3); });
    if (read && envelope_.wants_json && group_name == "generationConfig")
      envelope_.format = {begin, document_.position()};
    return read;
  }

  // What is no whole number above 0 is the provider's to refuse.
  static void number(std::string_view token, std::uint32_t& out) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (error == std::errc() && value > 0) out = static_cast<std::uint32_t>(std::min(value, kTokensMost));
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

  static constexpr std::uint64_t kTokensMost = 1u << 30;

  OnDemand& document_;
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
  if (const auto read = EnvelopeReader(document, needs_model, envelope).read(object); !read)
    return read.error();
  if (!document.at_end()) return not_json();
  return envelope;
}

Result<Expectations> read_expectations(const Dialect& dialect, std::string_view body,
                                       const Envelope& envelope) {
  Expectations out;
  if (envelope.tools.empty() && envelope.format.empty()) return out;
  // The dialect's own parser, of a body that is as small as it may be.
  std::string small = R"({"model":"m","max_tokens":1,)";
  if (&dialect == &gemini()) {
    small = R"({"contents":[{"role":"user","parts":[{"text":"."}]}])";
  } else if (&dialect == &openai_responses()) {
    small = R"({"model":"m","input":".")";
  } else {
    small += R"("messages":[{"role":"user","content":"."}])";
  }
  for (const Span span : {envelope.tools, envelope.format}) {
    if (span.empty()) continue;
    const std::size_t name_end = body.rfind('"', span.begin - 1);
    const std::size_t name_begin = body.rfind('"', name_end - 1);
    small += ',';
    small += body.substr(name_begin, span.end - name_begin);
  }
  small += '}';
  auto request = dialect.parse_request(small);
  if (!request) return request.error();
  // Some dialects name what is no function among what they cannot hold.
  const bool has_others =
      !request->hosted_tools.empty() || std::ranges::any_of(request->unmapped, [](const std::string& field) {
        return field.starts_with("tools");
      });
  return Expectations{std::move(request->tools), has_others, std::move(request->response_format)};
}

}  // namespace switchyard
