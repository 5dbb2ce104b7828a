#include "config/build_provider.h"

#include "config/expand.h"
#include "config/lookup.h"
#include "config/placeholders.h"
#include "config/provider_types.h"
#include "config/read.h"
#include "config/service_account.h"
#include "config/values.h"

#include <algorithm>

namespace switchyard::config {

namespace {

using Auth = ProviderType::Auth;
using Names = std::initializer_list<std::string_view>;

bool has(Names names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Fields that the gateway writes itself, or that would change what a request is.
bool is_reserved_header(std::string_view name) {
  return has({"host", "connection", "content-length", "content-type", "transfer-encoding", "te", "trailer",
              "upgrade", "keep-alive", "expect", "accept", "accept-encoding", "authorization", "x-api-key",
              "api-key", "x-goog-api-key", "x-amz-date", "x-amz-security-token", "cookie"},
             name) ||
         name.starts_with("proxy-");
}

bool is_header_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_header_value(std::string_view value) {
  return !value.empty() && value.size() <= 1024 && value.front() != ' ' && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

class ProviderBuilder {
 public:
  ProviderBuilder(const Node::Field& field, std::span<const ProviderType> types, BuildContext& context)
      : field_(field), node_(*field.value), types_(types), context_(context), problems_(context.problems) {}

  Provider build() {
    provider_.name = field_.name;
    if (!is_plain_name(field_.name)) {
      problems_.add(field_.place,
                    "a provider's name is 1 to 64 letters, digits, dots, underscores and dashes");
    }
    const Node* type_node = usable(node_, "type");
    if (!type_node || type_node->text.empty()) return std::move(provider_);
    provider_.type = type_node->text;
    type_ = find_type(types_, provider_.type);
    if (!type_) {
      unknown_type(*type_node);
    } else if (type_->is_local()) {
      local();
    } else {
      hosted();
    }
    return std::move(provider_);
  }

 private:
  void unknown_type(const Node& node) {
    std::vector<std::string_view> names;
    for (const ProviderType& one : types_) names.push_back(one.name);
    for (const ProviderType& one : provider_types()) names.push_back(one.name);
    problems_.add(node.place, "unknown provider type " + shown(node) + context_.suggestion(node, names));
  }

  void refuse_fields(Names names, const std::string& why) {
    for (const auto& field : node_.fields) {
      if (has(names, field.name)) problems_.add(field.place, "`" + field.name + "` " + why);
    }
  }

  void refuse_for_type(Names names) { refuse_fields(names, "is not for providers of type " + field_type()); }

  // As the configuration names it.
  std::string field_type() const { return usable(node_, "type")->text.substr(0, 64); }

  bool given(std::string_view name) const { return node_.find(name) != nullptr; }

  void need(const std::string& what) {
    problems_.add(field_.place, "a provider of type " + field_type() + " needs the field " + what);
  }

  void hosted() {
    refuse_fields({"models", "device", "threads", "queue"}, "is for providers of type local");
    deployment_urls();
    read(node_, "connections", provider_.connections);
    provider_.ca_file = context_.pem_file(node_, "ca_file");
    headers();
    auth();
    base_url();
    query();
  }

  // The older style of address is a row of its own.
  void deployment_urls() {
    if (type_->deployment_urls.empty()) return refuse_for_type({"deployment_urls"});
    bool wanted = false;
    read(node_, "deployment_urls", wanted);
    const ProviderType* other = wanted ? find_type(types_, type_->deployment_urls) : nullptr;
    if (!other) return;
    type_ = other;
    provider_.type = other->name;
  }

  // A field that becomes a part of an address.
  std::optional<std::string> address_part(std::string_view name) {
    const Node* node = usable(node_, name);
    if (!node || node->text.empty()) {
      // A service account knows its project.
      if (name != "project" || given(name) || !provider_.service_account) return std::nullopt;
      const std::string& project = provider_.service_account->project;
      return is_plain_name(project) ? std::optional(project) : std::nullopt;
    }
    if (!is_plain_name(node->text)) {
      problems_.add(node->place,
                    "`" + std::string(name) + "` is 1 to 64 letters, digits, dots, underscores and dashes");
    }
    return node->text;
  }

  void base_url() {
    const Node* url = usable(node_, "base_url");
    const bool is_own = url && !url->text.empty();
    if (given("base_url") && !is_own) return;  // Said already.
    if (!is_own && type_->base_url.empty()) return need("`base_url`");
    const std::string& text = is_own ? url->text : type_->base_url;
    const auto filled = fill_placeholders(text, [&](std::string_view name) {
      return is_address_placeholder(name) ? address_part(name) : std::nullopt;
    });
    for (const std::string_view name : kAddressPlaceholders) {
      const bool signs = name == "region" && type_->auth == Auth::aws;
      const bool holds = text.find("{" + std::string(name) + "}") != std::string::npos ||
                         type_->base_url.find("{" + std::string(name) + "}") != std::string::npos;
      if (!signs && !holds) refuse_for_type({name});
    }
    if (!filled.missing.empty()) {
      if (is_own && !is_address_placeholder(filled.missing)) {
        problems_.add(url->place, "`base_url` may hold {region}, {resource}, {project} and {location} only");
      } else if (!given(filled.missing)) {
        need("`" + filled.missing + "`" + (is_own ? "" : ", or `base_url`"));
      }
      return;
    }
    set_base_url(filled.text, is_own ? url->place : field_.place);
  }

  void set_base_url(std::string text, Place place) {
    // The one location of Google's that is not the beginning of a host's name.
    constexpr std::string_view kGlobal = "://global-aiplatform.";
    if (const auto at = text.find(kGlobal); at != std::string::npos) {
      text.replace(at, kGlobal.size(), "://aiplatform.");
    }
    const auto parsed = parse_base_url(text);
    if (!parsed.url) {
      problems_.add(place, "`base_url` " + parsed.fault);
      return;
    }
    provider_.base_url = parsed.url->text;
    if (!parsed.url->secure && !is_private_host(parsed.url->host)) {
      problems_.warn(place,
                     "plain http to an address that is not private: prompts and credentials can be read "
                     "on the way");
    }
  }

  void query() {
    if (type_->query.empty()) return refuse_for_type({"api_version"});
    const auto filled =
        fill_placeholders(type_->query, [&](std::string_view name) -> std::optional<std::string> {
          if (name != "api_version") return std::nullopt;
          if (auto version = address_part(name)) return version;
          if (type_->api_version.empty()) return std::nullopt;
          return type_->api_version;
        });
    if (filled.missing.empty()) provider_.query = filled.text;
  }

  void headers() {
    for (const auto& field : section(node_, "headers").fields) {
      std::string name = field.name;
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (!is_header_name(name)) {
        problems_.add(field.place, "a header field's name is 1 to 64 letters, digits and dashes");
      } else if (std::any_of(provider_.headers.begin(), provider_.headers.end(),
                             [&](const auto& other) { return other.first == name; })) {
        problems_.add(field.place, "the header field " + name + " is given twice");
      } else if (is_reserved_header(name)) {
        problems_.add(field.place, "the header field " + name + " is the gateway's own");
      } else if (field.value->kind == Node::Kind::scalar && !field.value->broken) {
        if (!is_header_value(field.value->text)) {
          problems_.add(field.value->place,
                        "a header field's value is 1 to 1024 visible characters and blanks");
        }
        provider_.headers.emplace_back(name, Secret(field.value->text));
      }
    }
  }

  // A credential; nothing when it is absent or was refused.
  std::optional<Secret> secret(std::string_view name) {
    const Node* node = usable(node_, name);
    if (!node || !context_.check_secret(*node, std::string(name))) return std::nullopt;
    return Secret(node->text);
  }

  void auth() {
    if (type_->auth != Auth::aws) refuse_for_type({"access_key_id", "secret_access_key", "session_token"});
    if (type_->auth != Auth::google) refuse_for_type({"service_account"});
    if (type_->auth != Auth::entra)
      refuse_for_type({"tenant_id", "client_id", "client_secret", "token_file"});
    if (type_->auth != Auth::entra && type_->auth != Auth::google) refuse_for_type({"token_url"});
    if (type_->auth == Auth::none || type_->auth == Auth::google) refuse_for_type({"api_key"});
    if (type_->auth == Auth::google) return service_account();
    if (auto key = secret("api_key")) provider_.api_key = std::move(*key);
    if (type_->auth == Auth::aws) return aws();
    if (type_->auth == Auth::entra) return entra();
    if (type_->auth != Auth::none && !type_->key_optional && !given("api_key")) need("`api_key`");
  }

  void aws() {
    provider_.region = address_part("region").value_or("");
    if (!given("access_key_id") && !given("secret_access_key")) {
      refuse_fields({"session_token"}, "is for `access_key_id` and `secret_access_key`");
      if (!given("api_key")) need("`api_key`, or `access_key_id` and `secret_access_key`");
      return;
    }
    if (given("api_key")) {
      refuse_fields({"access_key_id", "secret_access_key", "session_token"}, "and `api_key` are both given");
      return;
    }
    auto id = secret("access_key_id"), key = secret("secret_access_key"), token = secret("session_token");
    // The type's address has it too, and says so.
    if (!given("region") && given("base_url")) need("`region`");
    if (!given("access_key_id")) need("`access_key_id`");
    if (!given("secret_access_key")) need("`secret_access_key`");
    if (!id || !key) return;
    provider_.aws_key = AwsKey{std::move(*id), std::move(*key), token.value_or(Secret())};
  }

  void service_account() {
    const Node* node = usable(node_, "service_account");
    if (!given("service_account")) return need("`service_account`");
    if (!node || node->text.empty()) return;
    std::string text = node->text;
    if (text.find('{') == std::string::npos) {  // A path, not the content.
      const std::string path = context_.existing_file(*node);
      if (!context_.environment.is_file(path)) return;
      context_.files.push_back(path);
      text = context_.environment.read_file(path).value_or("");
    } else if (!node->expanded) {
      problems_.warn(node->place, "a literal secret in the file; ${NAME} or ${file:PATH} keep it out");
    }
    auto parsed = parse_service_account(text);
    if (!parsed.account) {
      problems_.add(node->place, "`service_account` " + parsed.fault);
      return;
    }
    if (const auto url = token_url()) parsed.account->token_url = *url;
    provider_.service_account = std::move(*parsed.account);
  }

  std::optional<std::string> token_url() {
    const Node* node = usable(node_, "token_url");
    if (!node || node->text.empty()) return std::nullopt;
    const auto parsed = parse_base_url(node->text);
    if (!parsed.url) {
      problems_.add(node->place, "`token_url` " + parsed.fault);
      return std::nullopt;
    }
    if (!parsed.url->secure && !is_private_host(parsed.url->host)) {
      problems_.warn(node->place,
                     "plain http to an address that is not private: the credential can be read on the way");
    }
    return parsed.url->text;
  }

  void entra() {
    const bool any =
        given("tenant_id") || given("client_id") || given("client_secret") || given("token_file");
    if (!any) {
      refuse_fields({"token_url"}, "is for `client_id`");
      if (!given("api_key"))
        need("`api_key`, or `tenant_id`, `client_id` and `client_secret`, or `token_file`");
      return;
    }
    if (given("api_key")) {
      refuse_fields({"tenant_id", "client_id", "client_secret", "token_file"},
                    "and `api_key` are both given");
      return;
    }
    EntraClient client;
    if (const Node* file = usable(node_, "token_file"); file && !file->text.empty()) {
      client.token_file = context_.existing_file(*file);
    }
    if (given("client_id") || given("tenant_id") || given("client_secret")) {
      const auto tenant = address_part("tenant_id"), id = address_part("client_id");
      if (!given("tenant_id")) need("`tenant_id`");
      if (!given("client_id")) need("`client_id`");
      if (given("client_secret") == given("token_file"))
        need("`client_secret` or `token_file`, and not both");
      if (auto words = secret("client_secret")) client.client_secret = std::move(*words);
      client.client_id = id.value_or("");
      client.token_url = token_url().value_or("https://login.microsoftonline.com/" + tenant.value_or("") +
                                              "/oauth2/v2.0/token");
    }
    provider_.entra = std::move(client);
  }

  void local() {
    refuse_fields({"api_key",       "base_url",  "ca_file",       "connections",       "headers",
                   "region",        "project",   "location",      "resource",          "api_version",
                   "tenant_id",     "client_id", "access_key_id", "secret_access_key", "session_token",
                   "client_secret", "token_url", "token_file",    "service_account",   "deployment_urls"},
                  "is not for providers of type local");
    read(node_, "device", provider_.device);
    read(node_, "threads", provider_.threads);
    read(node_, "queue", provider_.queue);
    const Node* models = node_.find("models");
    if (!models || (models->kind == Node::Kind::map && models->fields.empty())) {
      problems_.add(field_.place,
                    "a provider of type local needs the field `models`, with one model or more");
      return;
    }
    for (const auto& model : models->fields) {
      if (!is_field_text(model.name))
        problems_.add(model.place, "a model's name is 1 to 256 visible characters");
      const Node& path = *model.value;
      if (path.kind != Node::Kind::scalar || path.broken || path.text.empty()) continue;
      provider_.models[model.name] = path.text == "bundled" ? path.text : context_.existing_file(path);
    }
  }

  const Node::Field& field_;
  const Node& node_;
  std::span<const ProviderType> types_;
  BuildContext& context_;
  Problems& problems_;
  const ProviderType* type_ = nullptr;
  Provider provider_;
};

}  // namespace

Provider build_provider(const Node::Field& field, std::span<const ProviderType> types,
                        BuildContext& context) {
  return ProviderBuilder(field, types, context).build();
}

}  // namespace switchyard::config
