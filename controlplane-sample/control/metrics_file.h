// How things stand, as a file in the Prometheus text format: for node_exporter's textfile collector.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "control/controller.h"

namespace fairlead::control {

std::string to_metrics(const Standing& standing, const std::string& backend);

// Whole or not at all.
absl::Status write_metrics(const std::string& path, const Standing& standing, const std::string& backend);

}  // namespace fairlead::control
