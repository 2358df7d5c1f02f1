// What an origin says of its load with a response: the header `endpoint-load-metrics` of ORCA (Open Request Cost
// Aggregation, the xDS data plane's protocol, github.com/cncf/xds), in its forms for people:
//
//     endpoint-load-metrics: TEXT application_utilization=0.7, named_metrics.requests_in_flight=12
//     endpoint-load-metrics: JSON {"cpu_utilization": 0.7, "named_metrics": {"requests_in_flight": 12}}
//
// The binary form is left alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fairlead::codec {

inline constexpr std::string_view kLoadReportHeader = "endpoint-load-metrics";

struct LoadReport {
  // 1 is full; more is overload. `application_utilization` where it is said, `cpu_utilization` else.
  std::optional<double> utilization;
  // `named_metrics.requests_in_flight`: from all clients of the origin, not only from us.
  std::optional<uint32_t> in_flight;

  friend bool operator==(const LoadReport&, const LoadReport&) = default;
};

// Unknown metrics are passed over. Null for what is none of these forms, or says neither of the two.
std::optional<LoadReport> parse_load_report(std::string_view value);

}  // namespace fairlead::codec
