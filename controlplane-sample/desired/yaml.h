// Resources from a YAML text in the proto3 JSON mapping, as in the data plane's configuration file: field names in
// snake_case or lowerCamelCase, enum values with or without their type's prefix, durations as "2s", "250ms", "1m30s".
// What is output only (`metadata`, `status`) is skipped. Pure.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "desired/configuration.h"

namespace fairlead::desired {

// Half a million servers.
inline constexpr std::size_t kValuesMost = 8'000'000;

// The text has `listeners`, `backends`, `servers`, on top or under `resources`, as `fairleadctl export` writes them.
// `values_most` counts an alias with all that it stands for. Errors have the place: `servers.yaml:12:
// backends[0].servers[1].weight: "heavy" is not a number from 0 to 4294967295`.
absl::StatusOr<std::shared_ptr<const Configuration>> parse_configuration(const std::string& text,
                                                                         const std::string& file_name,
                                                                         std::size_t values_most = kValuesMost);

}  // namespace fairlead::desired
