// What clients see where a listener answers by itself because something failed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ref.h"

namespace fairlead::config {

inline constexpr size_t kErrorPagesMax = 32;
inline constexpr size_t kErrorPageMax = 8192;

struct ErrorPage {
  std::vector<uint16_t> statuses;
  // Empty: text/html.
  std::string content_type;
  std::string body;

  std::string_view effective_content_type() const {
    return content_type.empty() ? std::string_view("text/html") : content_type;
  }
  bool operator==(const ErrorPage&) const = default;
};

struct ErrorPages : base::RefCounted {
  // No status stands in two of them.
  std::vector<ErrorPage> pages;

  // Null: none of its own.
  const ErrorPage* find(uint16_t status) const {
    const auto has = [&](const ErrorPage& page) {
      return std::ranges::find(page.statuses, status) != page.statuses.end();
    };
    const auto found = std::ranges::find_if(pages, has);
    return found == pages.end() ? nullptr : &*found;
  }
};

}  // namespace fairlead::config
