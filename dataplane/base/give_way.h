// For long work that nobody waits for by the microsecond, on processors that workers need: every few steps, whoever
// waits for this processor goes first. The kernel by itself lets a thread that is owed time run on until its next tick
// (4 ms at 250 Hz), however short the others' work would be.
#pragma once

#include <cstdint>
#include <thread>

namespace fairlead::base {

// Used by one thread.
class GiveWay {
 public:
  // Of about a microsecond each.
  static constexpr uint32_t kSteps = 32;

  void step() {
    if (++steps_ % kSteps == 0) std::this_thread::yield();
  }

 private:
  uint32_t steps_ = 0;
};

}  // namespace fairlead::base
