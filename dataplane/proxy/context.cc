#include "proxy/context.h"

#include <ctime>

namespace fairlead::proxy {

std::string_view Context::date() {
  auto second = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  if (second != date_second_) {
    date_second_ = second;
    std::tm utc;
    gmtime_r(&second, &utc);
    std::strftime(date_text_, sizeof date_text_, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  }
  return date_text_;
}

}  // namespace fairlead::proxy
