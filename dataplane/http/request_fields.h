// Single values out of a request's query and cookies.
#pragma once

#include <optional>
#include <string_view>

#include "http/header.h"

namespace fairlead::http {

// Of the first parameter of that name in "?a=1&b=2", as it was sent: nothing is decoded. Empty for "?a" and "?a=".
std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name);

// Of the first cookie of that name in any Cookie field (RFC 6265, section 4.2.1), with quotes where it has them.
std::optional<std::string_view> cookie(const HeaderList& headers, std::string_view name);

}  // namespace fairlead::http
