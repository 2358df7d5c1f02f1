#include "tls/transport.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
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
#include "tls/openssl.h"

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
    if (accepted.transport) accepted.transport->settle();
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
  SSL* plain_client(const char* suite = nullptr, int version = TLS1_3_VERSION) {
    plain_context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(plain_context_, version);
    SSL* client = SSL_new(plain_context_);
    if (suite) EXPECT_EQ(SSL_set_ciphersuites(client, suite), 1);
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

const Transport& transport_of(const Stream& stream) {
  return *static_cast<const Transport*>(stream.channel().transport());
}

// What a client and a settled server say to each other with each suite, in parts of chance, under new keys and padded.
class SuiteTest : public TransportTest, public testing::WithParamInterface<const char*> {};

TEST_P(SuiteTest, AClientOfOpenSslAndWeUnderstandEachOther) {
  SCOPED_TRACE(seed_);
  Scope scope(host_.loop);
  scope.spawn(accept());
  SSL* client = plain_client(GetParam());
  EXPECT_TRUE(transport_of(*server_).is_settled());
  const std::string to_server = random_bytes(random_, 300'000);
  const std::string to_client = random_bytes(random_, 300'000);
  Received at_server;
  IoResult<void> sent;
  scope.spawn(receive(*server_, random_, 40'000, at_server));
  scope.spawn(transmit(*server_, random_, kLargestPart, to_client, sent));
  std::string at_client;
  std::array<char, 5000> bytes;
  ASSERT_EQ(fcntl(client_fd_, F_SETFL, O_NONBLOCK), 0);
  size_t done = 0;
  bool said = false;
  int padding = 1;
  ASSERT_TRUE(host_.run_until([&] {
    size_t part = std::min<size_t>(random_.below(20'000) + 1, to_server.size() - done);
    size_t count = 0;
    if (part > 0 && SSL_write_ex(client, to_server.data() + done, part, &count) == 1) {
      done += count;
      // (Sent with the next bytes. Behind the last ones, with the server's end read, nothing would send it any more,
      // and OpenSSL does not end a connection that owes one.)
      if (done < to_server.size() && random_.chance(0.1))
        SSL_key_update(client, random_.chance(0.5) ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
      if (random_.chance(0.1)) SSL_set_block_padding(client, static_cast<size_t>(padding = padding == 1 ? 512 : 1));
    }
    if (done == to_server.size() && !said) said = SSL_shutdown(client) >= 0;
    while (SSL_read_ex(client, bytes.data(), bytes.size(), &count) == 1) at_client.append(bytes.data(), count);
    return scope.running() == 0 && at_client.size() == to_client.size();
  })) << done
      << " " << at_client.size() << (said ? "" : ", no end said") << (at_server.ended ? "" : ", no end heard");
  EXPECT_TRUE(sent);
  EXPECT_TRUE(at_server.ended && !server_->channel().is_broken());
  EXPECT_TRUE(at_server.bytes == to_server);
  EXPECT_TRUE(at_client == to_client);
  EXPECT_EQ(SSL_get_shutdown(client) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
  end(client);
  ::close(client_fd_);
}

INSTANTIATE_TEST_SUITE_P(Suites, SuiteTest,
                         testing::Values("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"));

std::string client_hello() {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  SslPtr client(SSL_new(context.get()));
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), out);
  SSL_connect(client.get());
  return text_of(out);
}

// The same message in records of `size` bytes.
std::string in_records(const std::string& hello, size_t size) {
  std::string records;
  for (size_t at = 5; at < hello.size(); at += size) {
    std::string part = hello.substr(at, size);
    records += std::string("\x16\3\1\0", 4) + static_cast<char>(part.size()) + part;
  }
  return records;
}

TEST_F(TransportTest, NothingIsHeldForAHelloThatIsNotWhole) {
  const std::string hello = client_hello();
  for (const std::string& sent : {hello, in_records(hello, 1), in_records(hello, 3), in_records(hello, 100)}) {
    test_support::SocketPair pair = test_support::tcp_pair();
    outcome_.reset();
    server_.emplace(host_.loop, pair.first);
    Scope scope(host_.loop);
    scope.spawn(accept());
    for (size_t at = 0; at + 1 < sent.size(); at += 50) {
      const size_t size = std::min<size_t>(50, sent.size() - 1 - at);
      ASSERT_EQ(::send(pair.second, sent.data() + at, size, 0), static_cast<ssize_t>(size));
      host_.loop.turn();
    }
    EXPECT_EQ(server_->channel().transport(), nullptr);
    EXPECT_FALSE(outcome_);
    ASSERT_EQ(::send(pair.second, sent.data() + sent.size() - 1, 1, 0), 1);
    ASSERT_TRUE(host_.run_until([&] { return server_->channel().transport() != nullptr; }));
    ::close(pair.second);
    ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
    EXPECT_NE(outcome_, Outcome::kDone);
  }
  ::close(client_fd_);
}

TEST_F(TransportTest, AHelloThatEndsBeforeItIsWholeIsTheEnd) {
  Scope scope(host_.loop);
  scope.spawn(accept());
  const std::string hello = client_hello();
  ASSERT_EQ(::send(client_fd_, hello.data(), 20, 0), 20);
  ::shutdown(client_fd_, SHUT_WR);
  ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
  EXPECT_EQ(outcome_, Outcome::kGone);
  ::close(client_fd_);
}

// The client's last word of the handshake in one packet with its first bytes, by OpenSSL in memory: its socket is ours.
class TicketTest : public TransportTest {
 protected:
  void SetUp() override {
    TransportTest::SetUp();
    plain_context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(plain_context_, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(plain_context_, [](SSL* client, SSL_SESSION*) {
      ++*static_cast<int*>(SSL_get_app_data(client));
      return 0;
    });
    client_ = SSL_new(plain_context_);
    SSL_set_app_data(client_, &tickets_);
    SSL_set_bio(client_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client_);
  }
  void TearDown() override {
    end(client_);
    ::close(client_fd_);
  }

  // Up to the server's last word, which the client has heard then.
  void shake_hands(Scope& scope, int version) {
    SSL_set_max_proto_version(client_, version);
    scope.spawn(accept());
    do {
      ASSERT_LT(SSL_do_handshake(client_), 1);
      send_all();
    } while (!hear());
    SSL_do_handshake(client_);
  }
  // What the client has said goes to the server.
  void send_all(std::string_view more = "") {
    char bytes[4096];
    int size = BIO_read(SSL_get_wbio(client_), bytes, sizeof bytes);
    std::string said(bytes, static_cast<size_t>(std::max(size, 0)));
    said += more;
    ASSERT_EQ(::send(client_fd_, said.data(), said.size(), 0), static_cast<ssize_t>(said.size()));
  }
  // One read of what the server has sent, after a turn of the loop.
  bool hear() {
    host_.loop.post_message([] {});
    host_.loop.turn();
    char bytes[16'384];
    ssize_t size = ::recv(client_fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size <= 0) return false;
    BIO_write(SSL_get_rbio(client_), bytes, static_cast<int>(size));
    return true;
  }
  std::string read() {
    char bytes[100];
    int size = SSL_read(client_, bytes, sizeof bytes);
    return {bytes, static_cast<size_t>(std::max(size, 0))};
  }
  // So many bytes, and no question for more.
  Task<void> take(size_t size, std::string& into) {
    while (into.size() < size) {
      char bytes[100];
      IoResult<size_t> got = co_await server_->read_some({bytes, sizeof bytes}, kNever);
      if (!got || *got == 0) co_return;
      into.append(bytes, *got);
    }
  }

  SSL* client_ = nullptr;
  int tickets_ = 0;
};

TEST_F(TicketTest, RidesWithTheAnswerToWhatCameWithTheHandshake) {
  Scope scope(host_.loop);
  shake_hands(scope, TLS1_3_VERSION);
  ASSERT_EQ(SSL_write(client_, "ask", 3), 3);
  send_all();
  ASSERT_TRUE(host_.run_until([&] { return outcome_.has_value(); }));
  std::string asked;
  scope.spawn(take(3, asked));
  ASSERT_TRUE(host_.run_until([&] { return asked == "ask"; }));
  EXPECT_FALSE(hear());
  IoResult<void> sent;
  scope.spawn(transmit(*server_, random_, kLargestPart, "answer", sent));
  ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
  EXPECT_EQ(tickets_, 0);
  ASSERT_TRUE(hear());
  EXPECT_EQ(read(), "answer");
  EXPECT_EQ(tickets_, 1);
}

TEST_F(TicketTest, GoesBeforeAnEndWithoutAnAnswer) {
  Scope scope(host_.loop);
  shake_hands(scope, TLS1_3_VERSION);
  ASSERT_EQ(SSL_write(client_, "ask", 3), 3);
  send_all();
  ASSERT_TRUE(host_.run_until([&] { return outcome_.has_value(); }));
  server_.reset();
  ASSERT_TRUE(hear());
  EXPECT_EQ(read(), "");
  EXPECT_EQ(tickets_, 1);
  EXPECT_EQ(SSL_get_shutdown(client_), SSL_RECEIVED_SHUTDOWN);
}

TEST_F(TicketTest, TheEndOfAnOlderHandshakeWaitsForNothing) {
  Scope scope(host_.loop);
  shake_hands(scope, TLS1_2_VERSION);
  send_all("\x17");  // the first byte of a record
  ASSERT_TRUE(host_.run_until([&] { return outcome_.has_value(); }));
  ASSERT_TRUE(hear());
  EXPECT_EQ(SSL_do_handshake(client_), 1);
}

TEST_F(TransportTest, AClientOfAnOlderVersionStaysWithOpenSsl) {
  Scope scope(host_.loop);
  scope.spawn(accept());
  SSL* client = plain_client(nullptr, TLS1_2_VERSION);
  EXPECT_FALSE(transport_of(*server_).is_settled());
  Received at_server;
  scope.spawn(receive(*server_, random_, 1000, at_server));
  SSL_write(client, "all", 3);
  EXPECT_EQ(SSL_shutdown(client), 0);
  ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
  EXPECT_EQ(at_server.bytes, "all");
  end(client);
  ::close(client_fd_);
}

// What is no record of the client's ends the connection with the alert that says so, and nothing of it is read.
TEST_F(TransportTest, ABadRecordIsAnsweredWithAnAlert) {
  struct Case {
    const char* name;
    std::string sent;
    int reason;
  };
  const std::string junk(40, 'x');
  const Case cases[] = {
      {"of another key", std::string("\x17\3\3\0\x28", 5) + junk, SSL_R_SSLV3_ALERT_BAD_RECORD_MAC},
      {"too short for a tag", std::string("\x17\3\3\0\x10", 5) + junk.substr(0, 16), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC},
      {"too long", std::string("\x17\3\3\xff\xff", 5) + junk, SSL_R_TLSV1_ALERT_RECORD_OVERFLOW},
      {"an alert in the clear", std::string("\x15\3\3\0\2\1\0", 7), SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE},
      {"of the compatibility mode", std::string("\x14\3\3\0\1\1", 6), SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    test_support::SocketPair pair = test_support::tcp_pair();
    outcome_.reset();
    server_.emplace(host_.loop, pair.first);
    client_fd_ = pair.second;
    Scope scope(host_.loop);
    scope.spawn(accept());
    SSL* client = plain_client();
    Received at_server;
    scope.spawn(receive(*server_, random_, 1000, at_server));
    ASSERT_EQ(::send(client_fd_, one.sent.data(), one.sent.size(), 0), static_cast<ssize_t>(one.sent.size()));
    ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
    EXPECT_TRUE(at_server.error);
    EXPECT_EQ(at_server.bytes, "");
    char byte = 0;
    EXPECT_LT(SSL_read(client, &byte, 1), 1);
    EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), one.reason) << ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    end(client);
    ::close(client_fd_);
  }
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

class OneWayTest : public TransportTest, public testing::WithParamInterface<int> {};

TEST_P(OneWayTest, WhoEndsHisDirectionWithoutAWordIsStillAnswered) {
  Scope scope(host_.loop);
  scope.spawn(accept());
  SSL* client = plain_client(nullptr, GetParam());
  EXPECT_EQ(SSL_write(client, "half", 4), 4);
  Received at_server;
  scope.spawn(receive(*server_, random_, 1000, at_server));
  ::shutdown(client_fd_, SHUT_WR);
  ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
  EXPECT_TRUE(at_server.ended);
  // However often one asks.
  char byte;
  EXPECT_EQ(server_->channel().try_read(std::span(&byte, 1)), 0);
  IoResult<void> sent;
  scope.spawn(transmit(*server_, random_, kLargestPart, "answer", sent));
  ASSERT_TRUE(host_.run_until([&] { return scope.running() == 0; }));
  EXPECT_TRUE(sent);
  std::array<char, 6> answer;
  EXPECT_EQ(SSL_read(client, answer.data(), answer.size()), 6);
  EXPECT_EQ(std::string_view(answer.data(), answer.size()), "answer");
  end(client);
  ::close(client_fd_);
}
INSTANTIATE_TEST_SUITE_P(Versions, OneWayTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

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
