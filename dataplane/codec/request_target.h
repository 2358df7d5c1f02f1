// The target of a request line (RFC 9112 section 3.2).
#pragma once

#include <cstdint>
#include <optional>

#include "codec/authority.h"
#include "codec/head_result.h"
#include "codec/scan.h"
#include "http/head.h"

namespace fairlead::codec {

// What an absolute-form target says besides path and query.
struct RequestTarget {
  std::optional<Authority> authority;
  uint32_t default_port = 80;
};

// From behind the method's space to behind the space that ends the target. Sets target, path and query of the head.
//
// origin-form, absolute-form of http and https without user information, and `*` for OPTIONS; nothing is decoded.
// Refused are controls, spaces, bytes from 0x80, a fragment, and in the path `\` and `%00`, which servers read
// differently. What RFC 3986 forbids beyond that but browsers send (such as `|` and `{`) is passed on as it is.
Verdict parse_target(Cursor& cursor, http::RequestHead& head, RequestTarget& target);

}  // namespace fairlead::codec
