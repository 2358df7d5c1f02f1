#include "events/event_file.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "events/json.h"

namespace fairlead::events {

std::string begin_line(absl::Time time, absl::string_view event) {
  return absl::StrFormat("{\"time\":%.6f,\"event\":%s", absl::ToDoubleSeconds(time - absl::UnixEpoch()),
                         json_text(event));
}

absl::Status EventFile::open(const std::string& path) {
  file_.open(path, std::ios::app);
  if (file_) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("events: cannot write ", path));
}

void EventFile::write(const std::string& line) {
  if (file_.is_open()) file_ << line << std::endl;
}

}  // namespace fairlead::events
