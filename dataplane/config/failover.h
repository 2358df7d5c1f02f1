// Which servers of a backend are preferred to which, and when the others are used: the settings, as immutable values.
//
// Fields that are unset hold their default, which the accessor gives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fairlead::config {

inline constexpr uint32_t kPriorityMax = 15;

enum class BackupUse : uint8_t { kFirst, kAll };

struct ZonePreference {
  bool prefer_near = false;
  // The label that names a server's zone. Empty: unset.
  std::string label;
  std::optional<uint32_t> min_near;

  const std::string& effective_label() const {
    static const std::string kDefault = "zone";
    return label.empty() ? kDefault : label;
  }
  uint32_t effective_min_near() const { return min_near.value_or(1); }
  bool operator==(const ZonePreference&) const = default;
};

struct Failover {
  std::optional<uint32_t> overprovisioning;
  std::optional<BackupUse> backups;
  std::optional<uint32_t> panic_threshold;
  ZonePreference zones;

  // Percent.
  uint32_t effective_overprovisioning() const { return overprovisioning.value_or(140); }
  BackupUse effective_backups() const { return backups.value_or(BackupUse::kFirst); }
  // Percent; 0: never.
  uint32_t effective_panic_threshold() const { return panic_threshold.value_or(0); }
  bool operator==(const Failover&) const = default;
};

}  // namespace fairlead::config
