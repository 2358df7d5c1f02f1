// fairlead-updates: adds, changes or replays many servers over one session of the management API, and says how fast
// that went.
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/time/time.h"
#include "base/command_line.h"
#include "fmt/format.h"
#include "updates/jobs.h"

ABSL_FLAG(std::string, management, "unix:/run/fairlead/management.sock", "management address of the data plane");
ABSL_FLAG(std::string, job, "add", "add, change, toggle or resync");
ABSL_FLAG(std::string, backend, "", "the backend; required");
ABSL_FLAG(uint32_t, servers, 100000, "how many servers there are to be, or are, at most 16 million");
ABSL_FLAG(uint32_t, operations_per_transaction, 1000, "operations of one transaction");
ABSL_FLAG(double, operations_per_second, 10000, "change, toggle: in all");
ABSL_FLAG(std::string, server, "", "toggle: the server that is drained and made ready in turn");
ABSL_FLAG(uint32_t, times, 1000, "toggle: how often, of either");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(5), "change, resync: how long; one resync at least");
ABSL_FLAG(uint64_t, election_id, 0, "of the session; 0: none");

namespace fairlead::updates {
namespace {

constexpr std::string_view kUsage =
    "fairlead-updates --backend NAME [--job add|change|toggle|resync] [--management ADDRESS] [--servers N]\n"
    "Ends with a line of JSON; exit status 1 when anything was refused.";
constexpr uint32_t kServersMax = 1U << 24;  // addresses in 10.0.0.0/8

int run() {
  std::string job = absl::GetFlag(FLAGS_job);
  if (absl::GetFlag(FLAGS_backend).empty()) base::usage_error("--backend", "is required");
  if (absl::GetFlag(FLAGS_servers) > kServersMax) base::usage_error("--servers", "is more than 16 million");
  if (absl::GetFlag(FLAGS_operations_per_transaction) == 0) {
    base::usage_error("--operations_per_transaction", "must be more than 0");
  }
  if (absl::GetFlag(FLAGS_operations_per_second) <= 0) {
    base::usage_error("--operations_per_second", "must be more than 0");
  }
  Settings settings{.management = absl::GetFlag(FLAGS_management),
                    .backend = absl::GetFlag(FLAGS_backend),
                    .servers = absl::GetFlag(FLAGS_servers),
                    .operations_per_transaction = absl::GetFlag(FLAGS_operations_per_transaction),
                    .election_id = absl::GetFlag(FLAGS_election_id),
                    .operations_per_second = absl::GetFlag(FLAGS_operations_per_second),
                    .server = absl::GetFlag(FLAGS_server),
                    .times = absl::GetFlag(FLAGS_times),
                    .duration = absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_duration))};
  absl::StatusOr<std::string> summary;
  if (job == "add") {
    summary = add(settings);
  } else if (job == "change") {
    summary = change(settings);
  } else if (job == "toggle") {
    if (settings.server.empty()) base::usage_error("--server", "is required");
    summary = toggle(settings);
  } else if (job == "resync") {
    summary = resync(settings);
  } else {
    base::usage_error("--job", "is none of add, change, toggle, resync");
  }
  if (summary.ok()) {
    fmt::print("{}\n", *summary);
    return 0;
  }
  fmt::print(stderr, "fairlead-updates: {}\n", std::string(summary.status().message()));
  return 1;
}

}  // namespace
}  // namespace fairlead::updates

int main(int argc, char** argv) {
  fairlead::base::parse_command_line(argc, argv, __FILE__, fairlead::updates::kUsage);
  return fairlead::updates::run();
}
