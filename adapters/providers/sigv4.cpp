#include "adapters/providers/sigv4.h"

#include <algorithm>

namespace switchyard {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// YYYYMMDDTHHMMSSZ.
std::string timestamp_of(std::chrono::sys_seconds now) {
  using namespace std::chrono;
  const sys_days day = floor<days>(now);
  const year_month_day date(day);
  const hh_mm_ss clock(now - day);
  const auto padded = [](auto number, std::size_t width) {
    std::string text = std::to_string(number);
    return std::string(width - std::min(width, text.size()), '0') + text;
  };
  return padded(static_cast<int>(date.year()), 4) + padded(static_cast<unsigned>(date.month()), 2) +
         padded(static_cast<unsigned>(date.day()), 2) + 'T' + padded(clock.hours().count(), 2) +
         padded(clock.minutes().count(), 2) + padded(clock.seconds().count(), 2) + 'Z';
}

// Every service but S3 signs the path encoded once more: "%3A" counts as "%253A".
std::string encoded_again(std::string_view path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : path.empty() ? std::string_view("/") : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

// Without spaces at its ends, and with single ones inside.
std::string trimmed(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

// The key of one day, region and service: the secret itself signs nothing.
Digest signing_key(const AwsRequest& request, const AwsCredentials& credentials, std::string_view date) {
  Digest key = hmac_sha256("AWS4" + credentials.secret_key, date);
  for (const std::string_view step : {request.region, request.service, std::string_view("aws4_request")}) {
    key = hmac_sha256(bytes_of(key), step);
  }
  return key;
}

}  // namespace

Headers sign(const AwsRequest& request, const AwsCredentials& credentials, std::chrono::sys_seconds now) {
  const std::string timestamp = timestamp_of(now);
  const std::string date = timestamp.substr(0, 8);
  Headers added{{"x-amz-date", timestamp}};
  if (!credentials.session_token.empty()) {
    added.emplace_back("x-amz-security-token", credentials.session_token);
  }

  Headers fields = request.headers;
  fields.emplace_back("host", request.host);
  fields.insert(fields.end(), added.begin(), added.end());
  std::ranges::sort(fields);
  std::string listed, names;
  for (const auto& [name, value] : fields) {
    listed += name + ':' + trimmed(value) + '\n';
    if (!names.empty()) names += ';';
    names += name;
  }

  std::string canonical(request.method);
  canonical += '\n' + encoded_again(request.path) + "\n\n";  // The empty line is the query.
  canonical += listed + '\n' + names + '\n' + to_hex(request.body_sha256);

  const std::string scope =
      date + '/' + std::string(request.region) + '/' + std::string(request.service) + "/aws4_request";
  const std::string to_sign =
      std::string(kAlgorithm) + '\n' + timestamp + '\n' + scope + '\n' + to_hex(sha256(canonical));
  const Digest signature = hmac_sha256(bytes_of(signing_key(request, credentials, date)), to_sign);
  added.emplace_back("authorization", std::string(kAlgorithm) + " Credential=" + credentials.access_key +
                                          '/' + scope + ", SignedHeaders=" + names +
                                          ", Signature=" + to_hex(signature));
  return added;
}

}  // namespace switchyard
