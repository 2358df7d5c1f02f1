#include "api/failover.h"

#include "api/encode.h"

namespace fairlead::api {
namespace {

constexpr config::Range kMinNear{1, 1'000'000};
constexpr DurationRange kWindow{std::chrono::milliseconds(10), config::kTimeoutMax};

std::optional<config::BackupUse> decode_backups(FieldChecker& checker, v1::BackupUse value) {
  switch (value) {
    case v1::BACKUP_USE_UNSPECIFIED:
      return std::nullopt;
    case v1::BACKUP_USE_FIRST:
      return config::BackupUse::kFirst;
    case v1::BACKUP_USE_ALL:
      return config::BackupUse::kAll;
    default:
      checker.unknown_enum("failover.backups", value, "FIRST, ALL");
      return std::nullopt;
  }
}

}  // namespace

config::Failover decode_failover(FieldChecker& checker, const v1::Failover& message) {
  config::Failover failover;
  failover.overprovisioning = checker.number("failover.overprovisioning", message.has_overprovisioning(),
                                             message.overprovisioning(), {100, 10'000});
  failover.backups = decode_backups(checker, message.backups());
  failover.panic_threshold =
      checker.number("failover.panic_threshold", message.has_panic_threshold(), message.panic_threshold(), {0, 100});
  const v1::ZonePreference& zones = message.zones();
  failover.zones.prefer_near = zones.prefer_near();
  if (!zones.label().empty()) checker.check("failover.zones.label", config::check_name(zones.label()));
  failover.zones.label = zones.label();
  failover.zones.min_near = checker.number("failover.zones.min_near", zones.has_min_near(), zones.min_near(), kMinNear);
  return failover;
}

void encode(const config::Failover& failover, v1::Failover& out) {
  if (failover.overprovisioning) out.set_overprovisioning(*failover.overprovisioning);
  if (failover.backups) {
    out.set_backups(*failover.backups == config::BackupUse::kAll ? v1::BACKUP_USE_ALL : v1::BACKUP_USE_FIRST);
  }
  if (failover.panic_threshold) out.set_panic_threshold(*failover.panic_threshold);
  const config::ZonePreference& zones = failover.zones;
  if (zones == config::ZonePreference()) return;
  out.mutable_zones()->set_prefer_near(zones.prefer_near);
  out.mutable_zones()->set_label(zones.label);
  if (zones.min_near) out.mutable_zones()->set_min_near(*zones.min_near);
}

config::SlowStart decode_slow_start(FieldChecker& checker, const v1::Backend& backend) {
  config::SlowStart slow_start;
  const v1::SlowStart& message = backend.slow_start();
  slow_start.window = checker.duration("slow_start.window", message.has_window(), message.window(), kWindow);
  slow_start.exponent = checker.number("slow_start.exponent", message.has_exponent(), message.exponent(), {1, 10});
  slow_start.min_percent =
      checker.number("slow_start.min_percent", message.has_min_percent(), message.min_percent(), {1, 100});
  bool says_something = slow_start.exponent || slow_start.min_percent;
  if (says_something && !slow_start.window) checker.fail("slow_start.window", "is not set");
  return slow_start;
}

void encode(const config::SlowStart& slow_start, v1::SlowStart& out) {
  if (slow_start.window) encode(*slow_start.window, *out.mutable_window());
  if (slow_start.exponent) out.set_exponent(*slow_start.exponent);
  if (slow_start.min_percent) out.set_min_percent(*slow_start.min_percent);
}

void decode_rank(FieldChecker& checker, const v1::Server& message, config::Server& record) {
  auto priority = checker.number("priority", message.priority() != 0, message.priority(), {0, config::kPriorityMax});
  record.priority = static_cast<uint8_t>(priority.value_or(0) & 0x7f);
  record.backup = message.backup();
  if (message.backup() && message.priority() != 0) {
    checker.fail("priority", "is for servers that are no backups; backups come after all priorities");
  }
}

}  // namespace fairlead::api
