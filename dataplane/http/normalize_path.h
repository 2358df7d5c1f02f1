// Paths in one spelling (RFC 3986, section 6.2.2), as far as a policy asks for it. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "http/path_policy.h"

namespace fairlead::http {

struct NormalizedPath {
  // In the input, or in the caller's memory.
  std::string_view path;
  // Why it is refused, or empty.
  std::string_view refusal;
};

// `path` begins with "/" and has no query; "*" comes back as it is. `memory` is the caller's, for what is written anew.
// What comes out is never longer, and comes out of a second call as it is.
//
// Refused, whatever NORMALIZE would make of it: ".." above the root, and, where dot segments are not kept, a dot
// segment with a parameter ("/..;x/"), which some servers take for one and others do not.
NormalizedPath normalize_path(std::string_view path, const PathPolicy& policy, std::string& memory);

}  // namespace fairlead::http
