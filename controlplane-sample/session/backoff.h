// How long to wait before the next try: doubling up to a limit, each wait drawn from the upper half, so that many
// control planes which lost the same data plane do not come back in one instant.
#pragma once

#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace fairlead::session {

class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration most, std::uint64_t seed) : first_(first), most_(most), random_(seed) {}

  // Between half of and the whole of the present wait, which doubles for the next time.
  absl::Duration next();
  void reset() { failures_ = 0; }

 private:
  absl::Duration first_;
  absl::Duration most_;
  std::mt19937_64 random_;
  int failures_ = 0;
};

}  // namespace fairlead::session
