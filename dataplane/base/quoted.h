// Text in quotes: one rule for files, logs and error texts, whatever somebody sent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fairlead::base {

// Offset of the first byte that is not part of valid UTF-8; npos where all is.
size_t first_invalid_utf8(std::string_view text);

// In double quotes, as JSON and YAML both read it. What is not printable is escaped, what is not UTF-8 replaced.
std::string quoted(std::string_view text);
// As above, cut to what fits a log or an error text.
std::string quoted_excerpt(std::string_view text);

}  // namespace fairlead::base
