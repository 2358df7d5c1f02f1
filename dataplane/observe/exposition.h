// Writes Prometheus' text format 0.0.4 (prometheus.io, "Exposition formats"): families with their help and type,
// samples with labels. The caller keeps a family's samples together.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace fairlead::observe {

enum class MetricType : uint8_t { kCounter, kGauge, kHistogram };

struct Label {
  std::string_view name;
  std::string_view value;
};

class Exposition {
 public:
  void family(std::string_view name, MetricType type, std::string_view help);
  // The labels' values are escaped here.
  void sample(std::string_view name, std::initializer_list<Label> labels, uint64_t value);
  void sample(std::string_view name, std::initializer_list<Label> labels, double value);
  std::string take() { return std::move(text_); }

 private:
  void begin_sample(std::string_view name, std::initializer_list<Label> labels);
  void escaped(std::string_view value);

  std::string text_;
};

}  // namespace fairlead::observe
