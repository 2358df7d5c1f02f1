#include "proxy/context.h"

#include <chrono>
#include <ctime>

namespace fairlead::proxy {

void Context::begin_second() {
  using std::chrono::floor, std::chrono::seconds;
  auto now = wall_clock();
  auto second = floor<seconds>(now);
  second_until_ = loop.now() + (second + seconds(1) - now);
  std::time_t time = std::chrono::system_clock::to_time_t(second);
  second_ = static_cast<uint32_t>(time);
  std::tm utc;
  gmtime_r(&time, &utc);
  date_line_size_ = std::strftime(date_line_, sizeof date_line_, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
}

}  // namespace fairlead::proxy
