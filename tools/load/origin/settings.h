// How an origin behaves. Fixed for the life of the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/time.h"

namespace fairlead::origin {

enum class LatencyShape : unsigned char { kFixed, kExponential };

struct Settings {
  // Sent as X-Origin with each response, by which a client knows who answered.
  std::string name;
  // How long serving a request takes, fixed or as a mean; waiting for `concurrency` comes on top.
  runtime::Duration latency{};
  LatencyShape latency_shape = LatencyShape::kFixed;
  // Requests that are served at once; others wait in order of arrival. 0 means no limit.
  size_t concurrency = 0;
  size_t body_bytes = 34;
  bool chunked = false;
  // Of all requests but health checks: answered with 500, and reset instead of an answer. From 0 to 1.
  double error_share = 0;
  double reset_share = 0;
  // GET of this path is answered at once, whatever the load.
  std::string health_path = "/healthz";
  // Not HTTP: everything comes back as it was sent.
  bool tcp_echo = false;
};

}  // namespace fairlead::origin
