#include "control/event_log.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "events/json.h"
#include "spdlog/spdlog.h"

namespace fairlead::control {
namespace {

std::string server_name(const Report& report, const std::string& backend) {
  return report.server.empty() ? "" : absl::StrCat(backend, "/", report.server);
}

// "server_added app/s3 127.0.0.1:4711: 3 of 4 servers, 17.5 in flight".
std::string describe(const Report& report, const std::string& backend) {
  std::string text = report.event;
  for (const std::string& part : {server_name(report, backend), report.address, report.dataplane}) {
    if (!part.empty()) absl::StrAppend(&text, " ", part);
  }
  absl::StrAppendFormat(&text, ": %d of %d servers, %.1f in flight", report.servers, report.desired, report.in_flight);
  if (report.cut_off > 0) absl::StrAppend(&text, ", ", report.cut_off, " requests cut off");
  if (!report.why.empty()) absl::StrAppend(&text, "; ", report.why);
  return text;
}

bool is_trouble(const Report& report) {
  static constexpr absl::string_view kTrouble[] = {"server_failed",  "server_exited", "starts_delayed",
                                                   "change_refused", "session_lost",  "standby"};
  return std::ranges::find(kTrouble, report.event) != std::end(kTrouble) || report.cut_off > 0;
}

}  // namespace

std::string to_json(const Report& report, const std::string& backend) {
  std::string line = events::begin_line(report.time, report.event);
  const auto add = [&line](const char* key, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&line, ",\"", key, "\":", events::json_text(value));
  };
  add("server", server_name(report, backend));
  add("address", report.address);
  add("dataplane", report.dataplane);
  add("why", report.why);
  if (report.cut_off > 0) absl::StrAppend(&line, ",\"cut_off\":", report.cut_off);
  absl::StrAppendFormat(&line, ",\"servers\":%d,\"desired\":%d,\"in_flight\":%.3f}", report.servers, report.desired,
                        report.in_flight);
  return line;
}

void EventLog::write(const Report& report) {
  spdlog::log(is_trouble(report) ? spdlog::level::warn : spdlog::level::info, "{}", describe(report, backend_));
  file_.write(to_json(report, backend_));
}

}  // namespace fairlead::control
