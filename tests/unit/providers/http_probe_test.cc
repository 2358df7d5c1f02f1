#include "providers/http_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "providers/descriptor.h"

namespace fairlead::providers {
namespace {

using testing::HasSubstr;

// Takes one connection, reads a request and answers with these bytes.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size);
    listen(listener_.get(), 1);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
    thread_ = std::thread([this, answer = std::move(answer)] { serve(answer); });
  }
  ~OneAnswer() { thread_.join(); }

  const std::string& address() const { return address_; }
  // After the probe.
  const std::string& request() const { return request_; }

 private:
  void serve(const std::string& answer) {
    const Descriptor connection(accept(listener_.get(), nullptr, nullptr));
    char buffer[1024];
    while (request_.find("\r\n\r\n") == std::string::npos) {
      const ssize_t size = recv(connection.get(), buffer, sizeof(buffer), 0);
      if (size <= 0) return;
      request_.append(buffer, static_cast<std::size_t>(size));
    }
    // In two pieces, so that the first line may come torn.
    const std::size_t half = answer.size() / 2;
    send(connection.get(), answer.data(), half, MSG_NOSIGNAL);
    send(connection.get(), answer.data() + half, answer.size() - half, MSG_NOSIGNAL);
  }

  Descriptor listener_;
  std::string address_;
  std::string request_;
  std::thread thread_;
};

absl::Status probe(const std::string& address) {
  return probe_http(address, "/healthz", absl::Now() + absl::Seconds(30));
}

TEST(HttpProbe, A200IsGood) {
  for (const char* version : {"HTTP/1.1", "HTTP/1.0"}) {
    OneAnswer server(absl::StrCat(version, " 200 OK\r\nContent-Length: 0\r\n\r\n"));
    EXPECT_TRUE(probe(server.address()).ok()) << version;
    EXPECT_THAT(server.request(), HasSubstr(absl::StrCat("GET /healthz HTTP/1.1\r\nHost: ", server.address(), "\r\n")));
  }
}

TEST(HttpProbe, AnythingElseIsNot) {
  for (const char* answer :
       {"HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", "hello\n"}) {
    OneAnswer server(answer);
    EXPECT_THAT(std::string(probe(server.address()).message()), HasSubstr("in place of a 200")) << answer;
  }
  OneAnswer silent("");
  EXPECT_THAT(std::string(probe(silent.address()).message()), HasSubstr("closed before it responded"));
}

TEST(HttpProbe, NobodyThereIsAnError) { EXPECT_FALSE(probe("unix:/no/such/socket").ok()); }

TEST(HttpProbe, ADeadlineEndsIt) {
  // Accepted by the kernel, answered by nobody.
  const Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size);
  listen(listener.get(), 1);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const absl::Status status =
      probe_http(absl::StrCat("127.0.0.1:", ntohs(address.sin_port)), "/", absl::Now() + absl::Milliseconds(20));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(HttpProbe, WrongAddressesAreNamed) {
  for (const char* address : {"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "localhost:80", "::1:80", "[::1:80",
                              "[127.0.0.1]:80", "unix:"}) {
    EXPECT_EQ(probe(address).code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

}  // namespace
}  // namespace fairlead::providers
