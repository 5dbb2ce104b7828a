#pragma once

#include <string>
#include <string_view>

namespace switchyard {

// The bytes of an Amazon event stream that is written as text, one message a line:
//
//   event messageStart {"role":"assistant"}
//   exception throttlingException {"message":"slow down"}
//   error InternalFailure what the service said
//   cut            the stream ends inside the message before
//   garble         a byte in the message before is another
//
// Other lines are taken as they are, byte for byte.
std::string encode_aws_frames(std::string_view text);

// One message, from its headers in their own encoding and its payload.
std::string encode_aws_message(std::string_view headers, std::string_view payload);

// A header that is a string.
std::string encode_aws_header(std::string_view name, std::string_view value);

}  // namespace switchyard
