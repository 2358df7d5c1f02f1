// What brings a client back to its server: the settings, as immutable values.
//
// Fields that are unset hold their default, which the accessor gives.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/siphash.h"
#include "config/duration.h"
#include "config/hash_key.h"

namespace fairlead::config {

enum class CookieMode : uint8_t { kInsert, kRewrite, kPrefix };
enum class SameSite : uint8_t { kStrict, kLax, kNone };

inline constexpr size_t kCookieNameMax = 128;
inline constexpr size_t kCookieSecretMax = 256;
inline constexpr size_t kCookiePathMax = 255;
inline constexpr Duration kCookieAgeMax = std::chrono::hours(24 * 400);
inline constexpr uint32_t kStickEntriesMax = 10'000'000;
inline constexpr Duration kStickExpireMin = std::chrono::seconds(1);
inline constexpr Duration kStickExpireMax = std::chrono::hours(24 * 30);

struct CookiePersistence {
  std::string name;
  std::optional<CookieMode> mode;
  std::string secret;
  bool indirect = false;
  bool nocache = false;
  // Empty: unset.
  std::string path;
  std::string domain;
  bool secure = false;
  bool http_only = false;
  std::optional<SameSite> same_site;
  // Whole seconds.
  std::optional<std::chrono::seconds> max_age;
  std::optional<std::chrono::seconds> max_idle;
  std::optional<std::chrono::seconds> max_life;
  // What follows from all this, by prepare(): of the secret, and what stands in a head before and behind the value.
  base::SipKey key{};
  std::string before_value;
  std::string behind_value;

  // Cookies that are set have dates.
  bool has_dates() const { return max_idle || max_life; }
  CookieMode effective_mode() const { return mode.value_or(CookieMode::kInsert); }
  void prepare();
  bool operator==(const CookiePersistence&) const = default;
};

struct StickTableSettings {
  std::string key_text;
  // As parsed.
  HashKey key;
  std::optional<uint32_t> max_entries;
  std::optional<Duration> expire;

  uint32_t effective_max_entries() const { return max_entries.value_or(100'000); }
  Duration effective_expire() const { return expire.value_or(std::chrono::minutes(30)); }
  bool operator==(const StickTableSettings&) const = default;
};

struct Persistence {
  std::optional<CookiePersistence> cookie;
  std::optional<StickTableSettings> table;

  bool operator==(const Persistence&) const = default;
};

}  // namespace fairlead::config
