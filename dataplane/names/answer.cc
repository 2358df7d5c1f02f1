#include "names/answer.h"

#include <utility>

namespace fairlead::names {

Part combine(Part preferred, Part other, bool had_any) {
  if (!preferred.failure) return preferred;
  if (preferred.failure == Failure::kNoName) {
    return other.failure == Failure::kNoName ? std::move(preferred) : std::move(other);
  }
  return other.failure || had_any ? std::move(preferred) : std::move(other);
}

}  // namespace fairlead::names
