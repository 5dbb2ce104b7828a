#pragma once

#include "adapters/crypto/sha256.h"
#include "adapters/providers/provider.h"

#include <chrono>
#include <string>
#include <string_view>

namespace switchyard {

struct AwsCredentials {
  std::string access_key, secret_key;
  std::string session_token;  // Of temporary credentials; empty for long-lived ones.
};

// What of a request is signed. The views live as long as the call.
struct AwsRequest {
  std::string_view method, host;
  std::string_view path;     // As it is sent, percent-encoded, without a query.
  Headers headers;           // More fields to sign (content-type), by lower-case name, besides host.
  Digest body_sha256{};      // Of the body as it is sent.
  std::string_view region;   // "us-east-1".
  std::string_view service;  // "bedrock".
};

// AWS Signature Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html): the header
// fields to add to the request, x-amz-date, x-amz-security-token for temporary credentials, authorization.
// The signature holds for five minutes around `now`, so a repeated request is signed again.
Headers sign(const AwsRequest& request, const AwsCredentials& credentials, std::chrono::sys_seconds now);

}  // namespace switchyard
