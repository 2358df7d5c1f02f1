#include "net/socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "net/acceptor.h"
#include "net/socket_file.h"
#include "runtime/scope.h"
#include "test_support/loopback.h"

namespace fairlead::net {
namespace {

using config::Endpoint;
using testing::HasSubstr;

Endpoint parse(const std::string& text) { return Endpoint::parse(text).value(); }

class Closing {
 public:
  explicit Closing(int fd) : fd_(fd) {}
  ~Closing() { ::close(fd_); }
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

class UnixSocketTest : public testing::Test {
 protected:
  UnixSocketTest() {
    std::string pattern = testing::TempDir() + "socket_XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    path_ = directory_ + "/listening";
  }
  ~UnixSocketTest() override { std::filesystem::remove_all(directory_); }
  Endpoint endpoint() const { return parse("unix:" + path_); }

  std::string directory_;
  std::string path_;
};

int connect_to(const Endpoint& endpoint) {
  config::SocketAddress address = endpoint.to_socket_address();
  int fd = ::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0) return fd;
  ::close(fd);
  return -1;
}

TEST(ListenOn, TakesAFreePortForZeroAndListens) {
  for (const char* address : {"127.0.0.1:0", "[::1]:0"}) {
    auto fd = listen_on(parse(address));
    if (!fd.ok() && address[0] == '[') GTEST_SKIP() << "no IPv6 here: " << fd.status();
    ASSERT_TRUE(fd.ok()) << fd.status();
    Closing listening(*fd);
    Endpoint bound = bound_address(*fd);
    EXPECT_NE(bound.port(), 0);
    EXPECT_EQ(bound.with_port(0), parse(address));
    EXPECT_TRUE(fcntl(*fd, F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl(*fd, F_GETFD) & FD_CLOEXEC);
    Closing client(connect_to(bound));
    EXPECT_GE(client.fd(), 0);
  }
}

TEST(ListenOn, RefusesAPortThatIsTakenAlsoByASocketOfOurs) {
  auto ours = listen_on(parse("127.0.0.1:0"));
  ASSERT_TRUE(ours.ok());
  Closing listening(*ours);
  Endpoint bound = bound_address(*ours);
  auto second = listen_on(bound);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(bound.to_string() + ": Address already in use"));
}

TEST(ListenOn, TakesAPortAgainAfterItWasClosed) {
  auto first = listen_on(parse("127.0.0.1:0"));
  ASSERT_TRUE(first.ok());
  Endpoint bound = bound_address(*first);
  ::close(*first);
  auto second = listen_on(bound);
  ASSERT_TRUE(second.ok()) << second.status();
  ::close(*second);
}

TEST(ListenOn, NamesTheAddressThatItCannotHave) {
  auto fd = listen_on(parse("192.0.2.1:80"));  // reserved for documentation (RFC 5737)
  ASSERT_FALSE(fd.ok());
  EXPECT_THAT(std::string(fd.status().message()), HasSubstr("192.0.2.1:80: "));
}

TEST(ListenBeside, OpensAnotherQueueAtTheSamePort) {
  auto first = listen_on(parse("127.0.0.1:0"));
  ASSERT_TRUE(first.ok());
  Closing listening(*first);
  auto second = listen_beside(*first);
  ASSERT_TRUE(second.ok()) << second.status();
  Closing beside(*second);
  EXPECT_EQ(bound_address(*second), bound_address(*first));
}

TEST_F(UnixSocketTest, ListensAndSharesItsQueue) {
  auto fd = listen_on(endpoint());
  ASSERT_TRUE(fd.ok()) << fd.status();
  Closing listening(*fd);
  EXPECT_EQ(bound_address(*fd), endpoint());
  auto copy = listen_beside(*fd);
  ASSERT_TRUE(copy.ok());
  Closing beside(*copy);
  Closing client(connect_to(endpoint()));
  EXPECT_GE(client.fd(), 0);
  Closing accepted(::accept(*copy, nullptr, nullptr));
  EXPECT_GE(accepted.fd(), 0);
}

TEST_F(UnixSocketTest, RefusesAPathWhereSomebodyListens) {
  auto fd = listen_on(endpoint());
  ASSERT_TRUE(fd.ok());
  Closing listening(*fd);
  auto second = listen_on(endpoint());
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(path_ + ": is in use: somebody listens there"));
  Closing client(connect_to(endpoint()));
  EXPECT_GE(client.fd(), 0) << "the first does not listen any more";
}

TEST_F(UnixSocketTest, TakesOverWhatADeadProcessLeftBehind) {
  auto fd = listen_on(endpoint());
  ASSERT_TRUE(fd.ok());
  ::close(*fd);
  ASSERT_TRUE(std::filesystem::exists(path_));
  auto second = listen_on(endpoint());
  ASSERT_TRUE(second.ok()) << second.status();
  ::close(*second);
}

TEST_F(UnixSocketTest, LeavesAFileThatIsNoSocketAlone) {
  std::ofstream(path_) << "precious";
  auto fd = listen_on(endpoint());
  EXPECT_FALSE(fd.ok());
  std::string content;
  std::ifstream(path_) >> content;
  EXPECT_EQ(content, "precious");
}

TEST_F(UnixSocketTest, SaysWhatTheSystemSaysOfASocketThatTakesNoStreams) {
  Closing datagrams(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  config::SocketAddress address = endpoint().to_socket_address();
  ASSERT_EQ(::bind(datagrams.fd(), reinterpret_cast<const sockaddr*>(&address.storage), address.size), 0);
  auto fd = listen_on(endpoint());
  ASSERT_FALSE(fd.ok());
  EXPECT_THAT(std::string(fd.status().message()), HasSubstr("Protocol wrong type for socket"));
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UnixSocketTest, ItsFileEndsWithItsOwner) {
  auto fd = listen_on(endpoint());
  ASSERT_TRUE(fd.ok()) << fd.status();
  Closing listening(*fd);
  {
    SocketFile file(endpoint());
    SocketFile moved = std::move(file);
    EXPECT_TRUE(std::filesystem::exists(path_));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixSocketTest, AFileThatSomebodyElsePutThereStays) {
  auto fd = listen_on(endpoint());
  ASSERT_TRUE(fd.ok()) << fd.status();
  Closing listening(*fd);
  SocketFile file(endpoint());
  std::filesystem::remove(path_);
  auto other = listen_on(endpoint());
  ASSERT_TRUE(other.ok()) << other.status();
  Closing beside(*other);
  file.remove();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST(BindBesideOurs, TakesNoConnectionBeforeItListens) {
  auto first = listen_on(parse("127.0.0.1:0"));
  ASSERT_TRUE(first.ok());
  Endpoint bound = bound_address(*first);
  auto second = bind_beside_ours(bound);
  ASSERT_TRUE(second.ok()) << second.status();
  Closing beside(*second);
  for (int i = 0; i < 20; ++i) {
    Closing client(connect_to(bound));
    ASSERT_GE(client.fd(), 0);
    Closing accepted(::accept(*first, nullptr, nullptr));
    ASSERT_GE(accepted.fd(), 0);
  }
  ASSERT_TRUE(start_listening(beside.fd()).ok());
  ::close(*first);
  Closing client(connect_to(bound));
  Closing accepted(::accept(beside.fd(), nullptr, nullptr));
  EXPECT_GE(accepted.fd(), 0);
}

runtime::Task<void> accept_some(Acceptor& acceptor, int count, std::vector<IoResult<Accepted>>& results) {
  for (int i = 0; i < count; ++i) {
    IoResult<Accepted> result = co_await acceptor.accept();
    results.push_back(result);
    if (!result) co_return;
  }
}

TEST(Acceptor, AcceptsOneAtATimeAndSaysWhereFrom) {
  test_support::EpollHost host;
  auto fd = listen_on(parse("127.0.0.1:0"));
  ASSERT_TRUE(fd.ok());
  Endpoint bound = bound_address(*fd);
  Acceptor acceptor(host.loop, *fd);
  runtime::Scope scope(host.loop);
  std::vector<IoResult<Accepted>> results;
  scope.spawn(accept_some(acceptor, 100, results));
  EXPECT_TRUE(results.empty());
  std::vector<std::unique_ptr<Closing>> open;
  for (int i = 0; i < 99; ++i) open.push_back(std::make_unique<Closing>(connect_to(bound)));
  ASSERT_TRUE(host.run_until([&] { return results.size() == 99; }));
  for (size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i]);
    open.push_back(std::make_unique<Closing>(results[i]->fd));
    auto from =
        Endpoint::from_socket_address(reinterpret_cast<const sockaddr*>(&results[i]->from), results[i]->from_size);
    EXPECT_EQ(from, bound_address(open[i]->fd()));
    EXPECT_TRUE(fcntl(results[i]->fd, F_GETFL) & O_NONBLOCK);
    int sends_at_once = 0;
    socklen_t size = sizeof sends_at_once;
    ASSERT_EQ(getsockopt(results[i]->fd, IPPROTO_TCP, TCP_NODELAY, &sends_at_once, &size), 0);
    EXPECT_EQ(sends_at_once, 1);
  }
  acceptor.cancel();
  ASSERT_TRUE(host.run_until([&] { return scope.running() == 0; }));
  EXPECT_EQ(results.back().error(), IoError::kCancelled);
}

}  // namespace
}  // namespace fairlead::net
