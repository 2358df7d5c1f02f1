// What of a request or connection HASH goes by: a template such as "{header:X-Tenant}/{path}".
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::config {

struct HashKeyPart {
  enum class Kind : uint8_t { kText, kSource, kPath, kUri, kQuery, kHeader, kCookie };

  Kind kind = Kind::kText;
  // The text itself, or the name of the parameter, the header (in lower case) or the cookie.
  std::string text;

  bool operator==(const HashKeyPart&) const = default;
};

using HashKey = std::vector<HashKeyPart>;

inline constexpr size_t kHashKeyMax = 1024;
inline constexpr size_t kHashKeyFieldsMax = 16;

// At least one field, and few enough of everything; else what is wrong and what would be right, to stand behind
// "balance.hash.key: ".
std::expected<HashKey, std::string> parse_hash_key(std::string_view text);

}  // namespace fairlead::config
