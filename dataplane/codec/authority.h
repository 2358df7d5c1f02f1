// `host[:port]` as it stands in Host and in an absolute target (RFC 3986 section 3.2 without user information).
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/scan.h"

namespace fairlead::codec {

struct Authority {
  std::string_view text;
  std::string_view name;  // Without the port; an IPv6 address keeps its brackets.
  uint32_t port = 0;      // 0: none given.
};

// Requires that `text` lies within the cursor's bytes. False if it is empty or malformed. A name is letters, digits and
// the RFC's punctuation but ',' (which would make a list of it); its percent-encoding is not looked into.
bool parse_authority(const Cursor& within, std::string_view text, Authority& authority);

// The same host and port, with `default_port` where none is given.
bool same_authority(const Authority& a, const Authority& b, uint32_t default_port);

}  // namespace fairlead::codec
