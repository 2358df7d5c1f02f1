// Snapshots are published and reclaimed while workers pick servers from them: most of what this test can find, only a
// sanitizer sees.
#include <atomic>
#include <thread>

#include "workers_fixture.h"

namespace fairlead::server {
namespace {

class ChurnUnderRequestsTest : public WorkersFixture {
 protected:
  static constexpr int kServers = 40;
  static constexpr int kRounds = 150;

  static std::string upsert(int number, int weight) {
    // Nobody listens there, so each request looks at several servers and is told so.
    return "operations { upsert { server { backend: \"app\" name: \"s" + std::to_string(number) +
           "\" address: \"127.0.0.1:1\" weight: " + std::to_string(weight) + " } } } ";
  }
  static std::string removal(int number) {
    return "operations { delete { server { backend: \"app\" name: \"s" + std::to_string(number) + "\" } } } ";
  }

  // Of one request on a connection of its own.
  static std::string status_at(const config::Endpoint& endpoint) {
    config::SocketAddress to = endpoint.to_socket_address();
    int fd = ::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string answer(12, '\0');
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 0) {
      std::string request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
      ::recv(fd, answer.data(), answer.size(), MSG_WAITALL);
    }
    ::close(fd);
    return answer;
  }
};

TEST_F(ChurnUnderRequestsTest, EveryRequestIsAnsweredWhateverChangesMeanwhile) {
  must("operations { upsert { backend { name: \"app\" } } } " + upsert(0, 1) +
       "operations { upsert { listener { name: \"web\" protocol: PROTOCOL_HTTP bind: \"127.0.0.1:0\" "
       "default_backend: \"app\" } } } ");
  config::Endpoint web = config::Endpoint::parse(bound("web").front()).value();
  std::atomic<bool> done = false;
  std::atomic<int> others = 0;
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      do {
        (status_at(web) == "HTTP/1.1 503" ? answered : others)++;
      } while (!done);
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    std::string text;
    for (int number = 1; number < kServers; ++number) {
      text += (number + round) % 3 == 0 ? removal(number) : upsert(number, 1 + round % 7);
    }
    must(text);
  }
  done = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(others, 0);
  EXPECT_GE(answered, 2);
}

}  // namespace
}  // namespace fairlead::server
