// A client's address where it comes as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fairlead::net {

// The number that clients are told apart by, as of a connection: an IPv4 address with bit 32 set, of an IPv6 address
// the first half, which is one customer's, and never 0. Nothing where the text is no IP address.
std::optional<uint64_t> source_of_text(std::string_view text);

}  // namespace fairlead::net
