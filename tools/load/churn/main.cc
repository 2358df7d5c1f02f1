// fairlead-churn: adds and deletes servers of one backend over the management API, and says how long the calls took.
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "base/command_line.h"
#include "churn/churn.h"
#include "fmt/format.h"

ABSL_FLAG(std::string, management, "unix:/run/fairlead/management.sock", "management address of the data plane");
ABSL_FLAG(std::string, backend, "", "the backend; required");
ABSL_FLAG(std::vector<std::string>, ports, {}, "ports of servers that listen on all of 127.0.0.0/8; required");
ABSL_FLAG(uint32_t, servers, 10000, "how many are added and deleted, at most 8 million");
ABSL_FLAG(uint32_t, window, 200, "how many are there at once");
ABSL_FLAG(double, operations_per_second, 500, "adds and deletes together; 0: as fast as answers come");
ABSL_FLAG(uint32_t, seed, 1, "decides which server is deleted");

namespace fairlead::churn {
namespace {

constexpr std::string_view kUsage =
    "fairlead-churn --backend NAME --ports PORT,... [--management ADDRESS] [--servers N]\n"
    "Ends with a line of JSON; exit status 1 when a call failed.";
constexpr uint32_t kServersMax = 8'000'000;  // addresses in 127.0.0.0/8

std::vector<uint16_t> ports_from_flag() {
  std::vector<uint16_t> ports;
  for (const std::string& text : absl::GetFlag(FLAGS_ports)) {
    uint32_t port = 0;
    if (!absl::SimpleAtoi(text, &port) || port == 0 || port > UINT16_MAX) {
      base::usage_error("--ports", fmt::format("'{}' is not a port from 1 to 65535", text));
    }
    ports.push_back(static_cast<uint16_t>(port));
  }
  if (ports.empty()) base::usage_error("--ports", "is required");
  return ports;
}

int run() {
  if (absl::GetFlag(FLAGS_backend).empty()) base::usage_error("--backend", "is required");
  if (absl::GetFlag(FLAGS_servers) > kServersMax) base::usage_error("--servers", "is more than 8 million");
  Churn churn(Settings{.management = absl::GetFlag(FLAGS_management),
                       .backend = absl::GetFlag(FLAGS_backend),
                       .ports = ports_from_flag(),
                       .servers = absl::GetFlag(FLAGS_servers),
                       .window = absl::GetFlag(FLAGS_window),
                       .operations_per_second = absl::GetFlag(FLAGS_operations_per_second),
                       .seed = absl::GetFlag(FLAGS_seed)});
  absl::Status status = churn.run();
  fmt::print("{}\n", churn.summary());
  if (status.ok()) return 0;
  fmt::print(stderr, "fairlead-churn: {}\n", std::string(status.message()));
  return 1;
}

}  // namespace
}  // namespace fairlead::churn

int main(int argc, char** argv) {
  fairlead::base::parse_command_line(argc, argv, __FILE__, fairlead::churn::kUsage);
  return fairlead::churn::run();
}
