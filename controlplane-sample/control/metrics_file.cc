#include "control/metrics_file.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "providers/whole_file.h"

namespace fairlead::control {
namespace {

void add_gauge(std::string& text, absl::string_view name, absl::string_view help, const std::string& backend,
               double value) {
  absl::StrAppendFormat(&text, "# HELP fairlead_autoscaler_%s %s\n# TYPE fairlead_autoscaler_%s gauge\n", name, help,
                        name);
  absl::StrAppendFormat(&text, "fairlead_autoscaler_%s{backend=\"%s\"} %g\n", name, backend, value);
}

}  // namespace

std::string to_metrics(const Standing& standing, const std::string& backend) {
  std::string text;
  add_gauge(text, "servers", "Servers that every connected data plane has.", backend, standing.servers);
  add_gauge(text, "servers_wanted", "Servers that serve or start.", backend, standing.wanted);
  add_gauge(text, "servers_desired", "Servers that the load asks for, within all limits.", backend, standing.desired);
  add_gauge(text, "in_flight", "Requests in flight over all data planes, averaged.", backend, standing.in_flight);
  add_gauge(text, "dataplanes_connected", "Data planes with an open session.", backend, standing.dataplanes_connected);
  return text;
}

absl::Status write_metrics(const std::string& path, const Standing& standing, const std::string& backend) {
  absl::Status status = providers::write_whole_file(path, to_metrics(standing, backend));
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat("metrics: ", status.message()));
}

}  // namespace fairlead::control
