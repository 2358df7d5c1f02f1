// What an HTTP listener does with requests beyond their size: how paths are spelled, what is accepted of old clients,
// who is believed, how large a body may be.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "http/forwarded_format.h"
#include "http/path_policy.h"
#include "http/quirks.h"

namespace fairlead::config {

inline constexpr uint32_t kTrustedHopsMax = 16;

// Fields that are unset hold their default, which the accessor gives.
struct HttpPolicy {
  http::PathPolicy path;
  // As they were listed; `quirks` is the same as a set.
  std::vector<http::Quirk> quirk_list;
  http::QuirkSet quirks;
  std::optional<http::ForwardedFormat> forwarded_format;
  std::optional<uint32_t> trusted_hops;
  std::optional<uint64_t> max_body_bytes;

  http::ForwardedFormat effective_forwarded_format() const {
    return forwarded_format.value_or(http::ForwardedFormat::kXForwarded);
  }
  uint32_t effective_trusted_hops() const { return trusted_hops.value_or(0); }
  // A request has to be looked at before it is routed. Set by settle(), which is called when all else is.
  bool shapes_requests = false;
  void settle() {
    shapes_requests = !path.changes_nothing() || max_body_bytes.has_value() || effective_trusted_hops() > 0;
  }
  bool operator==(const HttpPolicy&) const = default;
};

}  // namespace fairlead::config
