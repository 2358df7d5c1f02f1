#include "scaling/windows.h"

namespace fairlead::scaling {

void AverageWindow::add(absl::Time now, double value) { samples_.push_back({now, value}); }

std::optional<double> AverageWindow::average(absl::Time now) {
  while (!samples_.empty() && samples_.front().time + length_ <= now) samples_.pop_front();
  if (samples_.empty()) return std::nullopt;
  double sum = 0;
  for (const Sample& sample : samples_) sum += sample.value;
  return sum / static_cast<double>(samples_.size());
}

void HighestWindow::add(absl::Time now, int value) {
  while (!candidates_.empty() && candidates_.back().value <= value) candidates_.pop_back();
  candidates_.push_back({now, value});
}

int HighestWindow::highest(absl::Time now) {
  while (candidates_.size() > 1 && candidates_.front().time + length_ < now) candidates_.pop_front();
  return candidates_.front().value;
}

}  // namespace fairlead::scaling
