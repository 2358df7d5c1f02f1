// A client's address where it comes as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead::net {

// The number that clients are told apart by, as of a connection: an IPv4 address with bit 32 set, of an IPv6 address
// the first half, which is one customer's, and never 0. Nothing where the text is no IP address. One that is written as
// ::ffff:a.b.c.d is a.b.c.d. `spelled` becomes the address as a connection's would be written (RFC 5952).
std::optional<uint64_t> source_of_text(std::string_view text, std::string& spelled);

}  // namespace fairlead::net
