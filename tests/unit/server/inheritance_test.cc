// Workers that take over the sockets of others.
#include "server/inheritance.h"

#include "gmock/gmock.h"
#include "net/socket.h"
#include "workers_fixture.h"

namespace fairlead::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class InheritanceTest : public WorkersFixture {
 protected:
  // What takes over, with so many workers.
  struct Successor {
    Successor(int count, std::vector<takeover::Offer> offers)
        : inheritance(std::make_shared<Inheritance>(std::move(offers))), workers(count, "next", nullptr) {
      workers.inherit(inheritance);
      workers.start();
      store.emplace(workers);
    }
    ~Successor() {
      store.reset();
      workers.stop(runtime::Duration::zero());
    }
    void must(const std::string& text) { EXPECT_EQ(reason_of(apply_to(*store, text)), "") << text; }

    std::shared_ptr<Inheritance> inheritance;
    Workers workers;
    std::optional<store::Store> store;
  };

  // A client that connects and sends, wherever that is accepted.
  static int send_request(const std::string& address) {
    config::Endpoint endpoint = config::Endpoint::parse(address).value();
    config::SocketAddress to = endpoint.to_socket_address();
    int fd = ::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&to.storage), to.size), 0);
    std::string request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL), std::ssize(request));
    return fd;
  }
  static std::string answer_to(int fd) {
    std::string answer(12, '\0');
    if (::recv(fd, answer.data(), answer.size(), MSG_WAITALL) < 0) answer = std::strerror(errno);
    ::close(fd);
    return answer;
  }
};

TEST_F(InheritanceTest, WithMoreOrFewerWorkersAllSocketsAreServed) {
  must(listener("a", {"127.0.0.1:0", "unix:" + folder_ + "/a.sock"}));
  std::vector<std::string> addresses = bound("a");
  for (int count : {1, 2, 5}) {
    Successor next(count, workers_.copy_sockets());
    next.must(listener("a", addresses));
    EXPECT_THAT(next.inheritance->close(), ElementsAre(true, true));
    for (const std::string& address : addresses)
      EXPECT_TRUE(answers_always(address)) << count << " beside the old ones";
  }
  // It never owned the files, so the first ones go on.
  for (const std::string& address : addresses) EXPECT_TRUE(answers_always(address));
  Successor next(3, workers_.copy_sockets());
  next.must(listener("a", addresses));
  EXPECT_THAT(next.inheritance->close(), ElementsAre(true, true));
  workers_.leave(addresses);
  next.inheritance->own();
  stop();
  for (const std::string& address : addresses) EXPECT_TRUE(answers_always(address)) << "after the old ones";
}

TEST_F(InheritanceTest, ConnectionsThatWaitInTheQueueOfAnySocketAreServed) {
  int first = net::listen_on(config::Endpoint::parse("127.0.0.1:0").value()).value();
  std::string address = net::bound_address(first).to_string();
  std::vector<takeover::Offer> offers(1);
  offers[0].bound = offers[0].wanted = address;
  offers[0].sockets.emplace_back(first);
  for (int i = 0; i < 6; ++i) offers[0].sockets.emplace_back(net::listen_beside(first).value());
  std::vector<int> waiting;
  for (int i = 0; i < 100; ++i) waiting.push_back(send_request(address));
  Successor next(2, std::move(offers));
  next.must(listener("a", {address}));
  for (int fd : waiting) EXPECT_EQ(answer_to(fd), "HTTP/1.1 404");
}

TEST_F(InheritanceTest, APortThatTheKernelChoseStaysWithTheListenerThatAskedForAny) {
  must(listener("a", {"127.0.0.1:0"}) + listener("b", {"127.0.0.1:0", "127.0.0.1:0"}));
  std::vector<std::string> of_a = bound("a");
  std::vector<std::string> of_b = bound("b");
  Successor next(2, workers_.copy_sockets());
  next.must(listener("a", {"127.0.0.1:0"}) + listener("b", {"127.0.0.1:0", "127.0.0.1:0"}));
  EXPECT_THAT(next.inheritance->close(), ElementsAre(true, true, true));
  workers_.leave(of_a);
  workers_.leave(of_b);
  stop();
  for (const std::string& address : {of_a[0], of_b[0], of_b[1]}) EXPECT_TRUE(answers_always(address));
}

TEST_F(InheritanceTest, ARefusedListenerLeavesTheFileWhereItIs) {
  std::string path = "unix:" + folder_ + "/a.sock";
  must(listener("a", {path}));
  {
    Successor next(2, workers_.copy_sockets());
    EXPECT_THAT(reason_of(apply_to(*next.store, listener("a", {path}) + failure())), HasSubstr("backend nobody"));
  }
  EXPECT_TRUE(answers_always(path));
}

TEST_F(InheritanceTest, WhatNobodyTakesIsClosedAndTold) {
  must(listener("a", {"127.0.0.1:0"}) + listener("b", {"127.0.0.1:0"}));
  Inheritance inheritance(workers_.copy_sockets());
  EXPECT_EQ(inheritance.take(takeover::Use::kManagement, 0, bound("b")[0]).size(), 0u);
  EXPECT_EQ(inheritance.take(takeover::Use::kListener, 0, bound("b")[0]).size(), workers_.size());
  EXPECT_EQ(inheritance.take(takeover::Use::kListener, 0, bound("b")[0]).size(), 0u);
  EXPECT_THAT(inheritance.close(), ElementsAre(false, true));
}

}  // namespace
}  // namespace fairlead::server
