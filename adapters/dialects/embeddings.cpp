// Sources: OpenAI's embeddings reference, Gemini's models.batchEmbedContents, Cohere's v2/embed and Amazon's
// Titan text embeddings, as their SDKs of November 2026 have them.
#include "adapters/dialects/embeddings.h"

#include "adapters/canonical/json_text.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/media.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

namespace switchyard {

namespace {

namespace dom = simdjson::dom;

Error wrong(const std::string& param, std::string_view what) {
  return fail(ErrorKind::invalid_request, param + " " + std::string(what), param);
}

Error cannot(const char* param, std::string_view what) {
  return fail(ErrorKind::unsupported, std::string("the target does not take ") + std::string(what), param);
}

Error not_embeddings() {
  return fail(ErrorKind::bad_reply, "the provider's answer holds no embeddings");
}

void append_number(double value, std::string& out) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), static_cast<float>(value)).ptr;
  out.append(text.data(), end);
}

void append_floats(const std::vector<float>& values, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    append_number(std::isfinite(values[i]) ? values[i] : 0, out);
  }
  out += ']';
}

Result<std::vector<float>> read_floats(const dom::element& element) {
  dom::array array;
  if (element.get_array().get(array)) return not_embeddings();
  std::vector<float> values;
  values.reserve(array.size());
  for (const dom::element one : array) {
    double value = 0;
    if (one.get_double().get(value)) return not_embeddings();
    values.push_back(static_cast<float>(value));
  }
  return values;
}

Result<dom::element> parse(std::string_view body) {
  return parse_event_json(body);
}

void append_text_list(const std::vector<std::string>& texts, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(texts[i], out);
  }
  out += ']';
}

Result<> check_texts_only(const EmbeddingsRequest& request) {
  if (!request.tokens.empty()) return cannot("input", "token ids of another vocabulary");
  return {};
}

WrittenRequest written(std::string body, const EmbeddingsRequest& request) {
  WrittenRequest out{std::move(body), request.unmapped};
  return out;
}

class OpenAi final : public EmbeddingsDialect {
 public:
  std::string_view name() const override { return "openai_embeddings"; }

  Result<EmbeddingsRequest> parse_request(std::string_view body) const override {
    const auto json = parse_object(body);
    if (!json) return json.error();
    EmbeddingsRequest request;
    std::string encoding;
    for (const auto& read :
         {read_string(*json, "model", request.model), read_string(*json, "user", request.user),
          read_int(*json, "dimensions", request.dimensions),
          read_string(*json, "encoding_format", encoding)}) {
      if (!read) return read.error();
    }
    if (!encoding.empty() && encoding != "float" && encoding != "base64") {
      return wrong("encoding_format", "must be float or base64");
    }
    request.base64 = encoding == "base64";
    if (request.dimensions && *request.dimensions < 1) return wrong("dimensions", "must be at least 1");
    const Json* input = find_member(*json, "input");
    if (!input) return wrong("input", "is required");
    if (const auto read = read_input(*input, request); !read) return read.error();
    for (const auto& [name, value] : json->items()) {
      static constexpr std::string_view kRead[] = {"model", "input", "encoding_format", "dimensions", "user"};
      if (std::ranges::find(kRead, name) == std::end(kRead)) request.unmapped.push_back(name);
    }
    return request;
  }

  Result<WrittenRequest> write_request(const EmbeddingsRequest& request,
                                       std::string_view model) const override {
    std::string out = R"({"model":)";
    append_json_string(model, out);
    out += R"(,"input":)";
    if (request.tokens.empty()) {
      append_text_list(request.texts, out);
    } else {
      Json tokens = request.tokens;
      out += tokens.dump();
    }
    out += R"(,"encoding_format":"float")";
    if (request.dimensions) out += R"(,"dimensions":)" + std::to_string(*request.dimensions);
    if (!request.user.empty()) {
      out += R"(,"user":)";
      append_json_string(request.user, out);
    }
    WrittenRequest result = written(out + '}', request);
    if (!request.task.empty()) result.dropped.emplace_back("taskType");
    return result;
  }

  Result<EmbeddingsReply> parse_reply(std::string_view body) const override {
    const auto root = parse(body);
    if (!root) return root.error();
    dom::array data;
    if ((*root)["data"].get_array().get(data)) return not_embeddings();
    EmbeddingsReply reply;
    reply.model = string_at(*root, "model");
    reply.vectors.resize(data.size());
    std::size_t position = 0;
    for (const dom::element one : data) {
      // Servers that leave the index out answer in order.
      std::int64_t index = 0;
      if (one["index"].get_int64().get(index)) index = static_cast<std::int64_t>(position);
      if (index < 0 || static_cast<std::size_t>(index) >= reply.vectors.size()) return not_embeddings();
      dom::element embedding;
      std::string_view text;
      if (one["embedding"].get(embedding)) return not_embeddings();
      auto values = embedding.get_string().get(text) ? read_floats(embedding) : decode_floats(text);
      if (!values) return values.error();
      reply.vectors[static_cast<std::size_t>(index)] = std::move(*values);
      ++position;
    }
    dom::element usage;
    if (!(*root)["usage"].get(usage)) reply.input_tokens = integer_at(usage, "prompt_tokens");
    return reply;
  }

  std::string write_reply(const EmbeddingsReply& reply, const EmbeddingsRequest& request) const override {
    std::string out = R"({"object":"list","data":[)";
    for (std::size_t i = 0; i < reply.vectors.size(); ++i) {
      if (i > 0) out += ',';
      out += R"({"object":"embedding","index":)" + std::to_string(i) + R"(,"embedding":)";
      if (request.base64) {
        out += '"' + encode_floats(reply.vectors[i]) + '"';
      } else {
        append_floats(reply.vectors[i], out);
      }
      out += '}';
    }
    out += R"(],"model":)";
    append_json_string(request.model, out);
    const std::string tokens = std::to_string(reply.input_tokens);
    out += R"(,"usage":{"prompt_tokens":)" + tokens + R"(,"total_tokens":)" + tokens + "}}";
    return out;
  }

 private:
  static Result<> read_input(const Json& input, EmbeddingsRequest& request) {
    if (input.is_string()) {
      request.texts.push_back(input.get<std::string>());
    } else if (!input.is_array() || input.empty()) {
      return wrong("input", "must be a text, a list of texts, or token ids, and not empty");
    } else if (input.size() > kEmbeddingInputsMax && !input.front().is_number()) {
      return wrong("input", "has more than 2048 entries");
    } else if (input.front().is_string()) {
      for (const Json& text : input) {
        if (!text.is_string()) return wrong("input", "mixes texts with something else");
        request.texts.push_back(text.get<std::string>());
      }
    } else if (input.front().is_array()) {
      for (const Json& ids : input) {
        if (const auto read = read_tokens(ids, request); !read) return read;
      }
    } else {
      return read_tokens(input, request);
    }
    for (const std::string& text : request.texts) {
      if (text.empty()) return wrong("input", "holds an empty text");
    }
    return {};
  }

  static Result<> read_tokens(const Json& ids, EmbeddingsRequest& request) {
    if (!ids.is_array() || ids.empty()) return wrong("input", "holds an empty list of token ids");
    std::vector<std::int64_t>& tokens = request.tokens.emplace_back();
    for (const Json& id : ids) {
      if (!id.is_number_integer() || id < 0) return wrong("input", "holds a token id that is none");
      tokens.push_back(id.get<std::int64_t>());
    }
    return {};
  }
};

class Gemini final : public EmbeddingsDialect {
 public:
  std::string_view name() const override { return "gemini_embeddings"; }

  // Either of embedContent, or of batchEmbedContents: that has `requests`.
  Result<EmbeddingsRequest> parse_request(std::string_view body) const override {
    const auto json = parse_object(body);
    if (!json) return json.error();
    EmbeddingsRequest request;
    const Json* requests = find_member(*json, "requests");
    if (!requests) {
      request.is_single = true;
      if (const auto read = read_one(*json, "", request); !read) return read.error();
      return request;
    }
    if (!requests->is_array() || requests->empty())
      return wrong("requests", "must be a list that is not empty");
    if (requests->size() > kEmbeddingInputsMax) return wrong("requests", "has more than 2048 entries");
    for (std::size_t i = 0; i < requests->size(); ++i) {
      const auto read = read_one((*requests)[i], "requests[" + std::to_string(i) + "].", request);
      if (!read) return read.error();
    }
    return request;
  }

  Result<WrittenRequest> write_request(const EmbeddingsRequest& request,
                                       std::string_view model) const override {
    if (const auto checked = check_texts_only(request); !checked) return checked.error();
    std::string out = R"({"requests":[)";
    for (std::size_t i = 0; i < request.texts.size(); ++i) {
      if (i > 0) out += ',';
      out += R"({"model":)";
      append_json_string("models/" + std::string(model), out);
      out += R"(,"content":{"parts":[{"text":)";
      append_json_string(request.texts[i], out);
      out += "}]}";
      if (request.dimensions) out += R"(,"outputDimensionality":)" + std::to_string(*request.dimensions);
      if (!request.task.empty()) {
        out += R"(,"taskType":)";
        append_json_string(request.task, out);
      }
      out += '}';
    }
    return written(out + "]}", request);
  }

  Result<EmbeddingsReply> parse_reply(std::string_view body) const override {
    const auto root = parse(body);
    if (!root) return root.error();
    EmbeddingsReply reply;
    dom::element one;
    dom::array list;
    if (!(*root)["embedding"].get(one)) {
      if (const auto added = add(one, reply); !added) return added.error();
    } else if (!(*root)["embeddings"].get_array().get(list)) {
      for (const dom::element embedding : list) {
        if (const auto added = add(embedding, reply); !added) return added.error();
      }
    } else {
      return not_embeddings();
    }
    dom::element usage;
    if (!(*root)["usageMetadata"].get(usage)) reply.input_tokens = integer_at(usage, "promptTokenCount");
    return reply;
  }

  std::string write_reply(const EmbeddingsReply& reply, const EmbeddingsRequest& request) const override {
    std::string out = request.is_single ? R"({"embedding":)" : R"({"embeddings":[)";
    for (std::size_t i = 0; i < reply.vectors.size(); ++i) {
      if (i > 0) out += ',';
      out += R"({"values":)";
      append_floats(reply.vectors[i], out);
      out += '}';
    }
    if (!request.is_single) out += ']';
    return out + R"(,"usageMetadata":{"promptTokenCount":)" + std::to_string(reply.input_tokens) + "}}";
  }

 private:
  static const Json* member(const Json& json, std::string_view camel, std::string_view snake) {
    const Json* found = find_member(json, camel);
    return found ? found : find_member(json, snake);
  }

  static Result<> read_one(const Json& json, const std::string& path, EmbeddingsRequest& request) {
    const Json* content = find_member(json, "content");
    const Json* parts = content ? find_member(*content, "parts") : nullptr;
    if (parts && parts->is_object()) parts = nullptr;
    if (!parts || !parts->is_array() || parts->empty()) return wrong(path + "content.parts", "is required");
    std::string text;
    for (const Json& part : *parts) {
      const Json* piece = find_member(part, "text");
      if (!piece || !piece->is_string()) return wrong(path + "content.parts", "must hold text only");
      text += piece->get_ref<const std::string&>();
    }
    if (text.empty()) return wrong(path + "content.parts", "holds an empty text");
    const Json* task = member(json, "taskType", "task_type");
    const Json* size = member(json, "outputDimensionality", "output_dimensionality");
    if (size && (!size->is_number_integer() || *size < 1)) {
      return wrong(path + "outputDimensionality", "must be a positive integer");
    }
    std::string task_text = task && task->is_string() ? task->get<std::string>() : std::string();
    std::optional<std::int64_t> dimensions;
    if (size) dimensions = size->get<std::int64_t>();
    if (!request.texts.empty() && (task_text != request.task || dimensions != request.dimensions)) {
      return fail(ErrorKind::unsupported, "every request of a batch must have the same taskType and size",
                  path + "taskType");
    }
    request.task = std::move(task_text);
    request.dimensions = dimensions;
    request.texts.push_back(std::move(text));
    if (find_member(json, "title")) request.unmapped.push_back(path + "title");
    return {};
  }

  static Result<> add(const dom::element& embedding, EmbeddingsReply& reply) {
    dom::element values;
    if (embedding["values"].get(values)) return not_embeddings();
    auto read = read_floats(values);
    if (!read) return read.error();
    reply.vectors.push_back(std::move(*read));
    return {};
  }
};

// What only providers speak.
class Upstream : public EmbeddingsDialect {
 public:
  Result<EmbeddingsRequest> parse_request(std::string_view) const override {
    return fail(ErrorKind::invalid_request, "no client speaks this dialect");
  }

  std::string write_reply(const EmbeddingsReply&, const EmbeddingsRequest&) const override { return "{}"; }
};

class Cohere final : public Upstream {
 public:
  std::string_view name() const override { return "cohere_embeddings"; }

  Result<WrittenRequest> write_request(const EmbeddingsRequest& request,
                                       std::string_view model) const override {
    if (const auto checked = check_texts_only(request); !checked) return checked.error();
    std::string out = R"({"model":)";
    append_json_string(model, out);
    out += R"(,"texts":)";
    append_text_list(request.texts, out);
    out += R"(,"input_type":")" + std::string(input_type(request.task)) + R"(","embedding_types":["float"])";
    if (request.dimensions) out += R"(,"output_dimension":)" + std::to_string(*request.dimensions);
    WrittenRequest result = written(out + '}', request);
    if (!request.user.empty()) result.dropped.emplace_back("user");
    return result;
  }

  Result<EmbeddingsReply> parse_reply(std::string_view body) const override {
    const auto root = parse(body);
    if (!root) return root.error();
    dom::array list;
    if ((*root)["embeddings"]["float"].get_array().get(list)) return not_embeddings();
    EmbeddingsReply reply;
    for (const dom::element one : list) {
      auto values = read_floats(one);
      if (!values) return values.error();
      reply.vectors.push_back(std::move(*values));
    }
    dom::element units;
    if (!(*root)["meta"]["billed_units"].get(units)) reply.input_tokens = integer_at(units, "input_tokens");
    return reply;
  }

 private:
  static std::string_view input_type(std::string_view task) {
    if (task == "RETRIEVAL_QUERY" || task == "CODE_RETRIEVAL_QUERY") return "search_query";
    if (task == "CLASSIFICATION") return "classification";
    if (task == "CLUSTERING") return "clustering";
    return "search_document";
  }
};

// Amazon's Titan embeds one text a request.
class Bedrock final : public Upstream {
 public:
  std::string_view name() const override { return "bedrock_embeddings"; }

  Result<WrittenRequest> write_request(const EmbeddingsRequest& request, std::string_view) const override {
    if (const auto checked = check_texts_only(request); !checked) return checked.error();
    if (request.texts.size() != 1) return cannot("input", "more than one text a request");
    std::string out = R"({"inputText":)";
    append_json_string(request.texts.front(), out);
    if (request.dimensions) out += R"(,"dimensions":)" + std::to_string(*request.dimensions);
    WrittenRequest result = written(out + '}', request);
    if (!request.user.empty()) result.dropped.emplace_back("user");
    if (!request.task.empty()) result.dropped.emplace_back("taskType");
    return result;
  }

  Result<EmbeddingsReply> parse_reply(std::string_view body) const override {
    const auto root = parse(body);
    if (!root) return root.error();
    dom::element embedding;
    if ((*root)["embedding"].get(embedding)) return not_embeddings();
    auto values = read_floats(embedding);
    if (!values) return values.error();
    EmbeddingsReply reply;
    reply.vectors.push_back(std::move(*values));
    reply.input_tokens = integer_at(*root, "inputTextTokenCount");
    return reply;
  }
};

}  // namespace

std::string encode_floats(const std::vector<float>& values) {
  static_assert(std::endian::native == std::endian::little);
  return encode_base64({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

Result<std::vector<float>> decode_floats(std::string_view text) {
  const auto bytes = decode_base64(text);
  if (!bytes || bytes->size() % sizeof(float) != 0) return not_embeddings();
  std::vector<float> values(bytes->size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes->data(), bytes->size());
  return values;
}

bool has_base64_vectors(std::string_view reply) {
  constexpr std::string_view kName = "\"embedding\"";
  for (auto at = reply.find(kName); at != std::string_view::npos; at = reply.find(kName, at + 1)) {
    auto behind = reply.find_first_not_of(" \t\r\n", at + kName.size());
    if (behind == std::string_view::npos || reply[behind] != ':') continue;  // The value of "object".
    behind = reply.find_first_not_of(" \t\r\n", behind + 1);
    return behind != std::string_view::npos && reply[behind] == '"';
  }
  return false;
}

const EmbeddingsDialect& openai_embeddings() {
  static const OpenAi dialect;
  return dialect;
}

const EmbeddingsDialect& gemini_embeddings() {
  static const Gemini dialect;
  return dialect;
}

const EmbeddingsDialect* find_embeddings_dialect(std::string_view name) {
  static const Cohere cohere;
  static const Bedrock bedrock;
  for (const EmbeddingsDialect* dialect : std::initializer_list<const EmbeddingsDialect*>{
           &openai_embeddings(), &gemini_embeddings(), &cohere, &bedrock}) {
    if (dialect->name() == name) return dialect;
  }
  return nullptr;
}

}  // namespace switchyard
