// What came to a listener and was no request, or none that could be passed on: counted by what was wrong in it.
#pragma once

#include <array>
#include <cstdint>

#include "codec/refusal_kind.h"

namespace fairlead::observe {

struct BadRequests {
  std::array<uint64_t, codec::kRefusalKinds> by_kind{};

  void add(codec::RefusalKind kind) { ++by_kind[static_cast<size_t>(kind)]; }
  BadRequests& operator+=(const BadRequests& other) {
    for (size_t i = 0; i < by_kind.size(); ++i) by_kind[i] += other.by_kind[i];
    return *this;
  }
};

}  // namespace fairlead::observe
