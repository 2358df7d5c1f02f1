// fairlead-tls-load: requests over TLS in a closed loop, by blocking threads: for comparing proxies, not for measuring
// latencies.
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/time/time.h"
#include "base/command_line.h"
#include "fmt/format.h"

ABSL_FLAG(std::string, target, "", "address to connect to, like 127.0.0.1:8443; required");
ABSL_FLAG(std::string, host, "example.com", "the host that is named in handshakes and requests");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(1), "how long");
ABSL_FLAG(uint32_t, connections, 64, "connections at a time");
ABSL_FLAG(bool, handshakes, false, "a new connection with a full handshake for each request");
ABSL_FLAG(bool, tls12, false, "TLS 1.2 instead of 1.3");

namespace {

using Clock = std::chrono::steady_clock;

struct Counts {
  std::atomic<uint64_t> requests = 0;
  std::atomic<uint64_t> failed = 0;
};

struct Settings {
  std::string host_and_port[2];
  std::string request;
  std::string server_name;
  bool handshakes = false;
  Clock::time_point end;
};

int connect_to(const Settings& settings) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(settings.host_and_port[0].c_str(), settings.host_and_port[1].c_str(), &hints, &found) != 0) return -1;
  int fd = ::socket(found->ai_family, SOCK_STREAM, 0);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  bool connected = ::connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  if (connected) return fd;
  ::close(fd);
  return -1;
}

// One whole response with a Content-Length.
bool exchange(SSL* connection, const std::string& request) {
  if (SSL_write(connection, request.data(), static_cast<int>(request.size())) <= 0) return false;
  std::string answer;
  char bytes[16384];
  size_t wanted = std::string::npos;
  while (answer.size() < wanted) {
    int count = SSL_read(connection, bytes, sizeof bytes);
    if (count <= 0) return false;
    answer.append(bytes, static_cast<size_t>(count));
    size_t head = answer.find("\r\n\r\n");
    if (wanted != std::string::npos || head == std::string::npos) continue;
    if (!answer.starts_with("HTTP/1.1 200")) return false;
    size_t at = answer.find("ontent-");
    size_t length = answer.find("ength: ", at);
    if (length == std::string::npos) length = answer.find("ength: ");
    if (length == std::string::npos) return false;
    wanted = head + 4 + std::stoul(answer.substr(length + 7));
  }
  return answer.size() == wanted;
}

void run(SSL_CTX* context, const Settings& settings, Counts& counts) {
  while (Clock::now() < settings.end) {
    int fd = connect_to(settings);
    SSL* connection = SSL_new(context);
    SSL_set_fd(connection, fd);
    SSL_set_tlsext_host_name(connection, settings.server_name.c_str());
    bool fine = fd >= 0 && SSL_connect(connection) == 1;
    do {
      fine = fine && exchange(connection, settings.request);
      ++(fine ? counts.requests : counts.failed);
    } while (fine && !settings.handshakes && Clock::now() < settings.end);
    if (fine) SSL_shutdown(connection);
    SSL_free(connection);
    if (fd >= 0) ::close(fd);
    if (!fine) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  fairlead::base::parse_command_line(argc, argv, __FILE__, "fairlead-tls-load --target ADDRESS ...");
  std::string target = absl::GetFlag(FLAGS_target);
  size_t colon = target.rfind(':');
  if (colon == std::string::npos) fairlead::base::usage_error("--target", "is required, like 127.0.0.1:8443");
  Settings settings{.host_and_port = {target.substr(0, colon), target.substr(colon + 1)},
                    .request = "GET / HTTP/1.1\r\nHost: " + absl::GetFlag(FLAGS_host) + "\r\n\r\n",
                    .server_name = absl::GetFlag(FLAGS_host),
                    .handshakes = absl::GetFlag(FLAGS_handshakes),
                    .end = {}};
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM");
  if (absl::GetFlag(FLAGS_tls12)) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  Clock::time_point begin = Clock::now();
  settings.end = begin + absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_duration));
  Counts counts;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < absl::GetFlag(FLAGS_connections); ++i) {
    threads.emplace_back([&] { run(context, settings, counts); });
  }
  for (std::thread& thread : threads) thread.join();
  std::chrono::duration<double> took = Clock::now() - begin;
  fmt::print("{{\"completed\": {}, \"failed\": {}, \"rate\": {:.1f}}}\n", counts.requests.load(), counts.failed.load(),
             static_cast<double>(counts.requests.load()) / took.count());
  return 0;
}
