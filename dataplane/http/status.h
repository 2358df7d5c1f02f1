// Status codes and their texts (IANA's registry of HTTP status codes).
#pragma once

#include <string_view>

namespace fairlead::http {

// The usual text, "Unknown" for codes that we do not know.
std::string_view reason_phrase(int status);

constexpr bool is_informational(int status) { return status >= 100 && status < 200; }

// Whatever its headers say, such a response ends with its head (RFC 9112 section 6.3).
constexpr bool never_has_body(int status) { return is_informational(status) || status == 204 || status == 304; }

}  // namespace fairlead::http
