// fairlead-repeat: sends the bytes of a file over and over, each time on a connection of its own, and says what that
// cost the sender: one thread, blocking calls, nothing else. It ends its direction behind the bytes and reads to the
// end.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "absl/flags/flag.h"
#include "base/command_line.h"
#include "config/endpoint.h"
#include "fmt/format.h"

ABSL_FLAG(std::string, target, "", "address to connect to, like 127.0.0.1:8080; required");
ABSL_FLAG(std::string, file, "", "with the bytes that are sent; required");
ABSL_FLAG(uint32_t, times, 1000, "how often");

namespace {

using fairlead::base::usage_error;

struct Exchange {
  // The other side took all bytes.
  bool sent_all = false;
  size_t received = 0;
};

// False where the other side has ended before it had all, which it may.
bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

Exchange send_once(const fairlead::config::SocketAddress& address, std::string_view bytes) {
  int fd = ::socket(address.storage.ss_family, SOCK_STREAM, 0);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    usage_error("--target", fmt::format("cannot be connected to: {}", strerror(errno)));
  }
  Exchange result{.sent_all = send_all(fd, bytes)};
  ::shutdown(fd, SHUT_WR);
  std::array<char, 16 * 1024> into;
  for (ssize_t count = 0; (count = ::recv(fd, into.data(), into.size(), 0)) > 0;) {
    result.received += static_cast<size_t>(count);
  }
  ::close(fd);
  return result;
}

double processor_us() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
}

}  // namespace

int main(int argc, char** argv) {
  fairlead::base::parse_command_line(argc, argv, __FILE__, "fairlead-repeat --target ADDRESS --file FILE [--times N]");
  auto target = fairlead::config::Endpoint::parse(absl::GetFlag(FLAGS_target));
  if (!target.ok()) usage_error("--target", std::string(target.status().message()));
  std::ifstream file(absl::GetFlag(FLAGS_file), std::ios::binary);
  if (!file) usage_error("--file", "cannot be read");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const fairlead::config::SocketAddress address = target->to_socket_address();
  const uint32_t times = absl::GetFlag(FLAGS_times);
  uint32_t answered = 0;
  uint32_t sent_all = 0;
  const double before = processor_us();
  for (uint32_t i = 0; i < times; ++i) {
    Exchange one = send_once(address, bytes);
    sent_all += one.sent_all ? 1 : 0;
    answered += one.received > 0 ? 1 : 0;
  }
  fmt::print("{{\"times\": {}, \"sent_all\": {}, \"answered\": {}, \"bytes\": {}, \"cpu_us\": {:.1f}}}\n", times,
             sent_all, answered, bytes.size(), processor_us() - before);
  return 0;
}
