// Real workers behind a real store, spoken to in text-format messages and over real sockets.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/workers.h"
#include "store/store.h"

namespace fairlead::server {

class WorkersFixture : public testing::Test {
 protected:
  WorkersFixture() {
    std::string pattern = testing::TempDir() + "workers_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    workers_.start();
  }
  ~WorkersFixture() override {
    stop();
    std::filesystem::remove_all(folder_);
  }
  void stop() {
    store_.stop();
    if (!stopped_) workers_.stop(runtime::Duration::zero());
    stopped_ = true;
  }

  store::Result apply(const std::string& text) { return apply_to(store_, text); }
  static store::Result apply_to(store::Store& store, const std::string& text) {
    v1::Transaction message;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
    std::promise<store::Result> promise;
    auto origin = std::make_shared<const store::Origin>("test", "here");
    store.apply(store::make_transaction(message, store.limits(), origin), {},
                [&](store::Result result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }
  // Expects that it holds, and waits until the workers have closed what they are to close: a connection that comes to a
  // socket at that very moment is reset by the kernel.
  void must(const std::string& text) {
    EXPECT_EQ(reason_of(apply(text)), "") << text;
    // Both look at what each worker has: the first after it was told, the second after what that made it do.
    for (int i = 0; i < 2; ++i) workers_.copy_sockets();
  }
  static std::string reason_of(const store::Result& result) {
    return result.failures.empty() ? "" : result.failures.front().failure.text();
  }
  // Without a backend: it answers 404.
  static std::string listener(const std::string& name, const std::vector<std::string>& addresses) {
    std::string text = "operations { upsert { listener { name: \"" + name + "\" protocol: PROTOCOL_HTTP ";
    for (const std::string& address : addresses) text += "bind: \"" + address + "\" ";
    return text + "} } } ";
  }
  static std::string deletion(const std::string& name) {
    return "operations { delete { listener: \"" + name + "\" } } ";
  }
  static std::string failure() { return "operations { replace { backend { name: \"nobody\" } } } "; }

  std::vector<std::string> bound(const std::string& name) {
    std::promise<std::vector<std::string>> promise;
    store_.read([&](store::Reader& reader) {
      std::vector<std::string> result;
      auto view = reader.find_listener(name);
      if (view) {
        for (const config::Endpoint& endpoint : view->record->bound) result.push_back(endpoint.to_string());
      }
      promise.set_value(std::move(result));
    });
    return promise.get_future().get();
  }

  // Whether a listener of ours answers a request there.
  static testing::AssertionResult answers(const std::string& address) {
    config::Endpoint endpoint = config::Endpoint::parse(address).value();
    config::SocketAddress to = endpoint.to_socket_address();
    int fd = ::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string answer(12, '\0');
    ssize_t received = ::connect(fd, reinterpret_cast<const sockaddr*>(&to.storage), to.size);
    if (received == 0) {
      std::string request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
      received = ::recv(fd, answer.data(), answer.size(), MSG_WAITALL);
    }
    const int error = received < 0 ? errno : 0;
    ::close(fd);
    if (answer == "HTTP/1.1 404") return testing::AssertionSuccess();
    return testing::AssertionFailure() << strerror(error) << ", " << received << " bytes: " << answer;
  }
  // A connection lands on any of the address' sockets: all of them have to be right.
  static testing::AssertionResult answers_always(const std::string& address) {
    for (int i = 0; i < 40; ++i) {
      if (testing::AssertionResult answered = answers(address); !answered) return answered << ", connection " << i;
    }
    return testing::AssertionSuccess();
  }

  std::string folder_;
  Workers workers_{2, "test", nullptr};
  store::Store store_{workers_};
  bool stopped_ = false;
};

}  // namespace fairlead::server
