#include "generator/schedule.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>

#include "fmt/format.h"

namespace fairlead::generator {
namespace {

// The rate may change within a pause between two requests: so it is looked at this often.
constexpr double kStepSeconds = 0.005;

std::optional<double> number(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0)) return std::nullopt;
  return value;
}

std::optional<Schedule::Point> point(std::string_view line) {
  size_t comma = line.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  std::optional<double> seconds = number(line.substr(0, comma));
  std::optional<double> rate = number(line.substr(comma + 1));
  if (!seconds || !rate) return std::nullopt;
  return Schedule::Point{*seconds, *rate};
}

absl::Status refused(const std::string& path, int line, std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("{}:{}: '{}' {}", path, line, text, why));
}

}  // namespace

Schedule Schedule::constant(double rate, double seconds) { return Schedule({{0, rate}, {seconds, rate}}); }

absl::StatusOr<Schedule> Schedule::read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("{}: cannot be read", path));
  std::vector<Point> points;
  int line_number = 0;
  for (std::string line; std::getline(file, line);) {
    ++line_number;
    if (line.empty() || (line_number == 1 && line.starts_with("seconds,"))) continue;
    std::optional<Point> next = point(line);
    if (!next) return refused(path, line_number, line, "is not 'seconds,requests_per_second'");
    if (!points.empty() && next->seconds <= points.back().seconds) {
      return refused(path, line_number, line, "is not later than the line before");
    }
    points.push_back(*next);
  }
  if (points.size() < 2) return absl::InvalidArgumentError(fmt::format("{}: has fewer than two points", path));
  return Schedule(std::move(points));
}

double Schedule::rate_at(double seconds) const {
  auto after = std::ranges::upper_bound(points_, seconds, {}, &Point::seconds);
  if (after == points_.begin() || after == points_.end()) return 0;
  const Point& from = *(after - 1);
  double share = (seconds - from.seconds) / (after->seconds - from.seconds);
  return from.rate + share * (after->rate - from.rate);
}

double Arrivals::next() {
  double wanted = spacing_ == Spacing::kUniform ? 1 : std::exponential_distribution<double>()(random_);
  while (at_ < schedule_.end()) {
    double rate = schedule_.rate_at(at_);
    double in_step = rate * kStepSeconds;
    if (in_step >= wanted) {
      at_ += wanted / rate;
      return at_;
    }
    wanted -= in_step;
    at_ += kStepSeconds;
  }
  return at_;
}

}  // namespace fairlead::generator
