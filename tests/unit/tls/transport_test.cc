#include "tls/transport.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "runtime/scope.h"
#include "test_support/loopback.h"
#include "test_support/made_certificate.h"
#include "test_support/random.h"
#include "test_support/random_transfers.h"
#include "tls/handshake.h"

namespace fairlead::tls {
namespace {

using net::IoError;
using net::IoResult;
using net::Stream;
using runtime::kNever;
using runtime::Scope;
using runtime::Task;
using test_support::Random;

using test_support::random_bytes;
using test_support::receive;
using test_support::Received;
using test_support::transmit;

constexpr size_t kLargestPart = 90'000;

class TransportTest : public testing::Test {
 protected:
  void SetUp() override {
    SCOPED_TRACE(seed_);
    MadeCertificate made = make_certificate("a.example");
    auto identity = Identity::make(made.chain, made.key, "");
    ASSERT_TRUE(identity) << identity.error().text;
    identity_ = *identity;
    config::ListenerTls listener;
    listener.certificates = {"a"};
    server_context_ = ServerContext::make(listener, false, {{identity_}}, nullptr);
    believe(made.chain);
    test_support::SocketPair pair = test_support::tcp_pair();
    // So that neither side can send all that it has at once.
    int small = 20'000;
    for (int fd : {pair.first, pair.second}) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    server_.emplace(host_.loop, pair.first);
    client_fd_ = pair.second;
  }

  void believe(const std::string& authority) {
    config::BackendTls backend;
    backend.ca = authority;
    backend.sni = "a.example";
    client_context_ = ClientContext::make(backend, nullptr);
  }

  Task<void> accept() {
    Accepted accepted = co_await tls::accept(*server_, worker_, server_context_, kNever);
    outcome_ = accepted.outcome;
  }
  Task<void> connect() {
    config::Endpoint address = config::Endpoint::parse("127.0.0.1:1").value();
    connected_ = co_await tls::connect(
        *client_, worker_, ClientSide{.context = client_context_, .address = address, .alpn = {}}, kNever, &problem_);
  }
  void shake_hands(Scope& scope) {
    client_.emplace(host_.loop, client_fd_);
    scope.spawn(accept());
    scope.spawn(connect());
    ASSERT_TRUE(host_.run_until([&] { return outcome_ && connected_; }));
    ASSERT_EQ(*outcome_, Outcome::kDone);
    ASSERT_TRUE(*connected_) << problem_;
  }

  // A client that is none of ours: OpenSSL on the bare socket, in turns with the loop.
  SSL* plain_client() {
    plain_context_ = SSL_CTX_new(TLS_client_method());
    SSL* client = SSL_new(plain_context_);
    SSL_set_fd(client, client_fd_);
    int done = 0;
    EXPECT_TRUE(host_.run_until([&] { return (done = SSL_connect(client)) == 1 && outcome_; }));
    return client;
  }
  void end(SSL* client) {
    SSL_free(client);
    SSL_CTX_free(plain_context_);
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  test_support::EpollHost host_;
  Worker worker_{host_.loop};
  std::shared_ptr<const Identity> identity_;
  std::shared_ptr<const ServerContext> server_context_;
  std::shared_ptr<const ClientContext> client_context_;
  std::optional<Stream> server_;
  std::optional<Stream> client_;
  int client_fd_ = -1;
  std::optional<Outcome> outcome_;
  std::optional<IoResult<void>> connected_;
  std::string problem_;
  SSL_CTX* plain_context_ = nullptr;
};

TEST_F(TransportTest, MuchGoesBothWaysAtOnceAndEndsProperly) {
  SCOPED_TRACE(seed_);
  Scope scope(host_.loop);
  shake_hands(scope);
  std::string to_client = random_bytes(random_, 3'000'000);
  std::string to_server = random_bytes(random_, 2'000'000);
  Received at_client, at_server;
  IoResult<void> sent_by_client, sent_by_server;
  scope.spawn(receive(*client_, random_, 50'000, at_client));
  scope.spawn(receive(*server_, random_, 50'000, at_server));
  scope.spawn(transmit(*client_, random_, kLargestPart, to_server, sent_by_client));
  scope.spawn(transmit(*server_, random_, kLargestPart, to_client, sent_by_server));
  ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
  EXPECT_TRUE(sent_by_client && sent_by_server);
  EXPECT_TRUE(at_client.ended && at_server.ended);
  EXPECT_TRUE(at_client.bytes == to_client);
  EXPECT_TRUE(at_server.bytes == to_server);
  EXPECT_FALSE(server_->channel().is_broken());
  EXPECT_FALSE(client_->channel().is_broken());
}

TEST_F(TransportTest, AnIdleConnectionKeepsNoReadiness) {
  Scope scope(host_.loop);
  shake_hands(scope);
  Received at_server;
  scope.spawn(receive(*server_, random_, 1000, at_server));
  IoResult<void> sent;
  scope.spawn(transmit(*client_, random_, kLargestPart, "", sent));
  ASSERT_TRUE(host_.run_until([&] { return at_server.ended; }));
  EXPECT_EQ(at_server.bytes, "");
}

TEST_F(TransportTest, AnEndThatWasNotAnnouncedMarksTheChannel) {
  Scope scope(host_.loop);
  scope.spawn(accept());
  SSL* client = plain_client();
  EXPECT_EQ(SSL_write(client, "half", 4), 4);
  Received at_server;
  scope.spawn(receive(*server_, random_, 1000, at_server));
  // (A close would break the connection: it has a ticket that was not read.)
  ::shutdown(client_fd_, SHUT_WR);
  ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
  EXPECT_EQ(at_server.bytes, "half");
  EXPECT_TRUE(at_server.ended);
  EXPECT_TRUE(server_->channel().is_broken());
  end(client);
  ::close(client_fd_);
}

TEST_F(TransportTest, AnAnnouncedEndIsRead) {
  Scope scope(host_.loop);
  scope.spawn(accept());
  SSL* client = plain_client();
  Received at_server;
  scope.spawn(receive(*server_, random_, 1000, at_server));
  SSL_write(client, "all", 3);
  // Without the end of the TCP connection.
  EXPECT_EQ(SSL_shutdown(client), 0);
  ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
  EXPECT_EQ(at_server.bytes, "all");
  EXPECT_TRUE(at_server.ended);
  EXPECT_FALSE(server_->channel().is_broken());
  end(client);
  ::close(client_fd_);
}

TEST_F(TransportTest, Row177AFloodOfKeyUpdatesEnds) {
  Scope scope(host_.loop);
  scope.spawn(accept());
  SSL* client = plain_client();
  Received at_server;
  scope.spawn(receive(*server_, random_, 1000, at_server));
  // Some are what anybody may ask for.
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(client), 1);
  }
  SSL_write(client, "x", 1);
  ASSERT_TRUE(host_.run_until([&] { return at_server.bytes == "x"; }));
  // It sends them without reading what comes for each.
  bool over = false;
  ASSERT_TRUE(host_.run_until([&] {
    for (int i = 0; i < 100 && !over; ++i) {
      over = SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(client) != 1;
    }
    return scope.running() == 0;
  }));
  EXPECT_TRUE(at_server.error);
  end(client);
  ::close(client_fd_);
}

TEST_F(TransportTest, WhoIsNotBelievedIsToldApart) {
  believe(make_certificate("a.example").chain);
  Scope scope(host_.loop);
  client_.emplace(host_.loop, client_fd_);
  scope.spawn(accept());
  scope.spawn(connect());
  ASSERT_TRUE(host_.run_until([&] { return outcome_ && connected_; }));
  EXPECT_NE(*outcome_, Outcome::kDone);
  ASSERT_FALSE(*connected_);
  EXPECT_EQ(connected_->error(), IoError::kHandshake);
  EXPECT_NE(problem_.find("certificate verify failed"), std::string::npos) << problem_;
}

}  // namespace
}  // namespace fairlead::tls
