// A file of JSON lines, one for each event, for programs that read along.
#pragma once

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::events {

// `{"time":1700000000.125000,"event":"server_added"`: how each line begins.
std::string begin_line(absl::Time time, absl::string_view event);

class EventFile {
 public:
  // Appends to what is there. Without it nothing is written.
  absl::Status open(const std::string& path);
  // Whole lines, at once. `line` without its end.
  void write(const std::string& line);

 private:
  std::ofstream file_;
};

}  // namespace fairlead::events
