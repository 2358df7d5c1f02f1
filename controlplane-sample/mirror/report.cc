#include "mirror/report.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "events/event_file.h"
#include "events/json.h"

namespace fairlead::mirror {

std::string to_json(const Report& report) {
  std::string line = events::begin_line(report.time, report.told.event);
  const auto add = [&line](const char* key, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&line, ",\"", key, "\":", events::json_text(value));
  };
  add("dataplane", report.dataplane);
  add("why", report.told.why);
  add("digest", absl::BytesToHexString(report.told.digest));
  if (report.told.version > 0) absl::StrAppend(&line, ",\"version\":", report.told.version);
  return line + "}";
}

std::string to_text(const Report& report) {
  std::string text = report.told.event;
  if (!report.dataplane.empty()) absl::StrAppend(&text, " ", report.dataplane);
  const char* separator = ": ";
  const auto add = [&](const std::string& part) {
    absl::StrAppend(&text, separator, part);
    separator = ", ";
  };
  if (!report.told.why.empty()) add(report.told.why);
  if (!report.told.digest.empty()) add(absl::StrCat("digest ", desired::short_digest(report.told.digest)));
  if (report.told.version > 0) add(absl::StrCat("version ", report.told.version));
  return text;
}

bool is_trouble(const Report& report) {
  static constexpr const char* kTrouble[] = {"file_refused", "differs", "refused", "standby", "session_lost"};
  return std::ranges::find(kTrouble, report.told.event) != std::end(kTrouble);
}

}  // namespace fairlead::mirror
