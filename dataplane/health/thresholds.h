// Whether a server is up, by what its checks have found one after the other. Pure.
#pragma once

#include <cstdint>

#include "config/health_check.h"

namespace fairlead::health {

class Thresholds {
 public:
  enum class State : uint8_t {
    // No check has succeeded yet, and none has to fail: one success is enough.
    kPending,
    // In service before it was checked: the first check decides.
    kPresumed,
    kUp,
    kDown,
  };

  explicit Thresholds(bool in_service) : state_(in_service ? State::kPresumed : State::kPending) {}

  State state() const { return state_; }
  // The last checks say something else than the state.
  bool is_changing() const { return contrary_ > 0; }

  // What traffic has shown counts at once. True: the state is another one now.
  bool mark_down() {
    bool is_in_service = state_ == State::kUp || state_ == State::kPresumed;
    return is_in_service && enter(State::kDown);
  }

  // True: the state is another one now.
  bool observe(bool success, const config::HealthCheck& settings) {
    bool agrees = success == (state_ == State::kUp);
    switch (state_) {
      case State::kPending:
        return success && enter(State::kUp);
      case State::kPresumed:
        return enter(success ? State::kUp : State::kDown);
      case State::kUp:
      case State::kDown:
        break;
    }
    contrary_ = agrees ? 0 : contrary_ + 1;
    if (state_ == State::kUp) return contrary_ >= settings.effective_fall() && enter(State::kDown);
    return contrary_ >= settings.effective_rise() && enter(State::kUp);
  }

 private:
  bool enter(State state) {
    state_ = state;
    contrary_ = 0;
    return true;
  }

  State state_;
  // In a row.
  uint32_t contrary_ = 0;
};

}  // namespace fairlead::health
