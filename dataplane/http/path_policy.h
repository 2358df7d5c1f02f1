// What becomes of paths that two readers may understand differently, before they are routed and sent on.
#pragma once

#include <cstdint>
#include <optional>

namespace fairlead::http {

enum class PathAction : uint8_t { kKeep, kNormalize, kRefuse };

// Fields that are unset keep what comes.
struct PathPolicy {
  // Segments "." and "..", also where their dots are percent-encoded.
  std::optional<PathAction> dot_segments;
  // "//".
  std::optional<PathAction> repeated_slashes;
  // "%2f" and "%5c".
  std::optional<PathAction> encoded_slashes;
  // Percent-encodings of characters that need none, in lower case, or that are none.
  std::optional<PathAction> escapes;

  bool changes_nothing() const {
    const auto keeps = [](std::optional<PathAction> action) {
      return action.value_or(PathAction::kKeep) == PathAction::kKeep;
    };
    return keeps(dot_segments) && keeps(repeated_slashes) && keeps(encoded_slashes) && keeps(escapes);
  }
  bool operator==(const PathPolicy&) const = default;
};

}  // namespace fairlead::http
