#include "net/tcp_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fstream>

namespace fairlead::net {
namespace {

// What a socket has that nobody has changed.
int system_setting(const char* path, int otherwise) {
  std::ifstream file(path);
  int value = 0;
  return file >> value ? value : otherwise;
}

int seconds_of(config::Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

int milliseconds_of(config::Duration duration) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

int seconds_or_system(const std::optional<config::Duration>& duration, const char* path, int otherwise) {
  return duration ? seconds_of(*duration) : system_setting(path, otherwise);
}

void change_keep_alive(runtime::Driver& driver, int fd, const config::TcpKeepAlive& before,
                       const config::TcpKeepAlive& after) {
  if (before == after) return;
  driver.set_option(fd, SOL_SOCKET, SO_KEEPALIVE, after.is_on() ? 1 : 0);
  if (before.time != after.time) {
    driver.set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE,
                      seconds_or_system(after.time, "/proc/sys/net/ipv4/tcp_keepalive_time", 7200));
  }
  if (before.interval != after.interval) {
    driver.set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL,
                      seconds_or_system(after.interval, "/proc/sys/net/ipv4/tcp_keepalive_intvl", 75));
  }
  if (before.probes != after.probes) {
    int probes =
        after.probes ? static_cast<int>(*after.probes) : system_setting("/proc/sys/net/ipv4/tcp_keepalive_probes", 9);
    driver.set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
  }
}

void change_connections(runtime::Driver& driver, int fd, const config::TcpOptions& before,
                        const config::TcpOptions& after) {
  change_keep_alive(driver, fd, before.keep_alive, after.keep_alive);
  if (before.user_timeout == after.user_timeout) return;
  int timeout = after.user_timeout ? milliseconds_of(*after.user_timeout) : 0;
  driver.set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, timeout);
}

}  // namespace

void set_tcp_options(runtime::Driver& driver, int fd, const config::TcpOptions& options) {
  change_connections(driver, fd, {}, options);
}

void change_tcp_options(runtime::Driver& driver, int fd, bool is_tcp, const config::ListenerTcp& before,
                        const config::ListenerTcp& after) {
  if (before.effective_backlog() != after.effective_backlog()) {
    driver.set_backlog(fd, static_cast<int>(after.effective_backlog()));
  }
  if (!is_tcp) return;
  change_connections(driver, fd, before.connections, after.connections);
  if (before.defer_accept != after.defer_accept) {
    driver.set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, after.defer_accept ? seconds_of(*after.defer_accept) : 0);
  }
  if (before.fast_open != after.fast_open) {
    driver.set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, static_cast<int>(after.fast_open.value_or(0)));
  }
}

}  // namespace fairlead::net
