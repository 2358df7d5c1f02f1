// Pearson's chi-square test: whether counts are what they should be by chance.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>

namespace fairlead::balancing {

class ChiSquare {
 public:
  // So many more picks, each of whom in proportion to its weight.
  void expect(const std::map<uint64_t, uint64_t>& weights, uint64_t picks) {
    uint64_t total = 0;
    for (const auto& [id, weight] : weights) total += weight;
    for (const auto& [id, weight] : weights) {
      if (weight > 0) cells_[id].expected += static_cast<double>(weight * picks) / static_cast<double>(total);
    }
  }
  void saw(uint64_t id) { ++cells_[id].count; }

  // Not rejected at 0.001.
  bool is_plausible() const { return statistic() <= critical(); }
  std::string text() const { return std::to_string(statistic()) + " of at most " + std::to_string(critical()); }

 private:
  struct Cell {
    double expected = 0;
    uint64_t count = 0;
  };

  // Cells in which less than 5 are expected stand together, as the test wants it.
  double statistic() const {
    double sum = 0;
    Cell small;
    for (const auto& [id, cell] : cells_) {
      if (cell.expected < 5) {
        small.expected += cell.expected;
        small.count += cell.count;
      } else {
        sum += term(cell);
      }
    }
    if (small.count == 0 && small.expected == 0) return sum;
    return sum + (small.expected > 0 ? term(small) : INFINITY);
  }
  static double term(const Cell& cell) {
    double off = static_cast<double>(cell.count) - cell.expected;
    return off * off / cell.expected;
  }
  // Wilson and Hilferty's approximation of the 0.999 quantile.
  double critical() const {
    double degrees = -1;
    bool any_small = false;
    for (const auto& [id, cell] : cells_) {
      any_small = any_small || cell.expected < 5;
      degrees += cell.expected < 5 ? 0 : 1;
    }
    degrees += any_small ? 1 : 0;
    if (degrees < 1) degrees = 1;
    constexpr double kNormal999 = 3.0902;
    double root = 1 - 2 / (9 * degrees) + kNormal999 * std::sqrt(2 / (9 * degrees));
    return degrees * root * root * root;
  }

  std::map<uint64_t, Cell> cells_;
};

}  // namespace fairlead::balancing
