// What was seen within the last while: the average of a gauge, the highest of recommendations.
#pragma once

#include <deque>
#include <optional>

#include "absl/time/time.h"

namespace fairlead::scaling {

// Plain average of the samples that are younger than `length`. Samples come at an even interval, so no weighting by
// time is needed; a longer window is smoother and later by half its length.
class AverageWindow {
 public:
  explicit AverageWindow(absl::Duration length) : length_(length) {}

  void add(absl::Time now, double value);
  // Of what is young enough at `now`; without any such sample nothing.
  std::optional<double> average(absl::Time now);

 private:
  struct Sample {
    absl::Time time;
    double value;
  };

  absl::Duration length_;
  std::deque<Sample> samples_;
};

// The highest value that was added within the last `length`; amortized constant time, memory of the values that can
// still become the highest.
class HighestWindow {
 public:
  explicit HighestWindow(absl::Duration length) : length_(length) {}

  void add(absl::Time now, int value);
  // Requires that something was added at `now` or within `length` before.
  int highest(absl::Time now);
  bool empty() const { return candidates_.empty(); }

 private:
  struct Candidate {
    absl::Time time;
    int value;
  };

  absl::Duration length_;
  // Later and lower from front to back.
  std::deque<Candidate> candidates_;
};

}  // namespace fairlead::scaling
