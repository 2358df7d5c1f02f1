// Reads an answer to a question for an SRV name (RFC 2782). Pure.
#pragma once

#include <optional>
#include <span>

#include "names/answer.h"

namespace fairlead::names {

// All records of that type in the answer, whatever aliases lead there; the shortest TTL. Targets that are no host names
// are left out. Unset: it cannot be read.
std::optional<Part> read_services(std::span<const unsigned char> message);

}  // namespace fairlead::names
