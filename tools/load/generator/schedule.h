// When requests are due: a rate over time, and the moments that follow from it.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/time.h"

namespace fairlead::generator {

// Requests per second, linear between its points; nothing before the first or after the last.
class Schedule {
 public:
  struct Point {
    double seconds;
    double rate;
  };
  static Schedule constant(double rate, double seconds);
  // Lines of "seconds,requests_per_second" with growing seconds, with or without that heading. The error names file,
  // line and value.
  static absl::StatusOr<Schedule> read(const std::string& path);

  double rate_at(double seconds) const;
  double end() const { return points_.back().seconds; }

 private:
  explicit Schedule(std::vector<Point> points) : points_(std::move(points)) {}

  std::vector<Point> points_;
};

enum class Spacing : unsigned char { kUniform, kPoisson };

// The moments at which requests are due, as an endless row.
class Arrivals {
 public:
  Arrivals(const Schedule& schedule, Spacing spacing, uint32_t seed)
      : schedule_(schedule), spacing_(spacing), random_(seed) {}

  // The next one, in seconds since the start; at or after schedule.end() there are no more.
  double next();

 private:
  const Schedule& schedule_;
  Spacing spacing_;
  std::mt19937 random_;
  double at_ = 0;
};

}  // namespace fairlead::generator
