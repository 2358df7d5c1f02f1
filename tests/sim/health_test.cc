// Checks over a simulated network with virtual time: what each way to succeed and to fail is called.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim_world/checked_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

Task<void> read_into(HttpPeer& peer, std::string& seen) {
  PeerBody body = co_await peer.read_to_end();
  seen = body.bytes;
}

class Checks : public testing::Test {
 protected:
  // What is told of a server that answers so.
  std::string told_of(
      const std::string& answer, const config::HealthCheck& check = http_check(),
      const std::function<void(CheckedServer&)>& arrange = [](CheckedServer&) {}) {
    HealthWorld w(1);
    CheckedServer server(w, answer);
    arrange(server);
    w.set_check(check);
    w.add("s", server.address());
    w.run_for(seconds(5));
    w.close();
    w.run_for(seconds(1));
    EXPECT_EQ(server.open, 0) << "a connection was left open";
    return w.told["s"];
  }
};

TEST_F(Checks, AnHttpServerIsUpByItsStatus) {
  EXPECT_EQ(told_of(kOk), "up: status 200");
  EXPECT_EQ(told_of("HTTP/1.1 399 Odd\r\n\r\n"), "up: status 399");
  EXPECT_EQ(told_of("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), "up: status 204");
  EXPECT_EQ(told_of("HTTP/1.0 200 OK\r\n\r\n"), "up: status 200");
  EXPECT_EQ(told_of(kOk, http_check(), [](CheckedServer& server) { server.closes = false; }), "up: status 200");
  config::HealthCheck narrow = http_check();
  std::get<config::HttpCheck>(narrow.kind).expected = {{200, 200}, {404, 410}};
  EXPECT_EQ(told_of("HTTP/1.1 410 Gone\r\n\r\n", narrow), "up: status 410");
  EXPECT_EQ(told_of("HTTP/1.1 204 No\r\n\r\n", narrow), "down: status: 204, expected 200, 404-410");
}

TEST_F(Checks, AFailureIsNamedByItsStep) {
  EXPECT_EQ(told_of("HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n"), "down: status: 503, expected 200-399");
  EXPECT_EQ(told_of("HTTP/1.1 400 Bad\r\n\r\n"), "down: status: 400, expected 200-399");
  EXPECT_EQ(told_of(""), "down: response: closed before its head was complete");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\nContent-"), "down: response: closed before its head was complete");
  EXPECT_THAT(told_of("SSH-2.0-OpenSSH_9.2\r\n"), HasSubstr("down: response: malformed: "));
  EXPECT_EQ(told_of(kOk, http_check(), [](CheckedServer& server) { server.resets = true; }), "down: response: reset");
  auto silent = [](CheckedServer& server) { server.closes = false; };
  EXPECT_EQ(told_of("", http_check(), silent), "down: response: timed out after 2s");
  auto slow = [](CheckedServer& server) { server.drip = milliseconds(100); };
  EXPECT_EQ(told_of(kOk, http_check(), slow), "down: response: timed out after 2s");
}

TEST_F(Checks, WhatNeverEndsIsBounded) {
  auto with = [](const char* text) { return [text](CheckedServer& server) { server.endless = text; }; };
  EXPECT_THAT(told_of("HTTP/1.1 200 OK\r\n", http_check(), with("X-Filler: more and more of it\r\n")),
              HasSubstr("down: response: malformed: "));
  EXPECT_EQ(told_of("", http_check(), with("HTTP/1.1 100 Continue\r\n\r\n")),
            "down: response: too many interim responses");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\n\r\n", http_check("needle"), with("hay ")),
            "down: body: \"needle\" is not in its first 64 KiB");
  EXPECT_EQ(
      told_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", http_check("needle"), with("3\r\nhay\r\n")),
      "down: body: \"needle\" is not in its first 64 KiB");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\n\r\n", http_check(), with("hay ")), "up: status 200")
      << "nobody asked for the body";
}

TEST_F(Checks, ABodyIsSearchedAcrossItsPieces) {
  std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(told_of(chunked + "5\r\nxxnee\r\n5\r\ndlexx\r\n0\r\n\r\n", http_check("needle")),
            "up: status 200, with \"needle\"");
  EXPECT_EQ(told_of(chunked + "3\r\nnee\r\n1\r\n-\r\n3\r\ndle\r\n0\r\n\r\n", http_check("needle")),
            "down: body: \"needle\" is not in it");
  auto slow = [](CheckedServer& server) { server.drip = milliseconds(10); };
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxx needle", http_check("needle"), slow),
            "up: status 200, with \"needle\"");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\n\r\nneedl", http_check("needle")), "down: body: \"needle\" is not in it");
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nneedl", http_check("needle")),
            "down: body: ended early");
  EXPECT_EQ(told_of("HTTP/1.1 204 OK\r\n\r\n", http_check("needle")), "down: body: \"needle\" is not in it");
  EXPECT_THAT(told_of(chunked + "zz\r\n", http_check("needle")), HasSubstr("down: body: malformed: "));
  auto waits = [](CheckedServer& server) { server.closes = false; };
  EXPECT_EQ(told_of("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", http_check("needle"), waits),
            "down: body: timed out after 2s");
}

TEST_F(Checks, TheRequestIsWhatWasAskedFor) {
  HealthWorld w(1);
  CheckedServer server(w, kOk);
  config::HealthCheck check = http_check();
  w.set_check(check);
  w.add("s", server.address());
  w.run_for(seconds(1));
  EXPECT_EQ(server.last.start_line, "GET /healthz HTTP/1.1");
  EXPECT_EQ(*server.last.find("host"), server.address().to_string());
  EXPECT_EQ(*server.last.find("connection"), "close");
  EXPECT_EQ(*server.last.find("user-agent"), "fairlead-check");
  config::HttpCheck kind{.path = "/x?y=1",
                         .method = config::CheckMethod::kPost,
                         .host = "a.example:80",
                         .headers = {{"User-Agent", "mine"}, {"X-A", ""}},
                         .expected = {},
                         .body_contains = ""};
  check.kind = kind;
  w.set_check(check);
  w.run_for(seconds(10));
  EXPECT_EQ(server.last.start_line, "POST /x?y=1 HTTP/1.1");
  EXPECT_EQ(*server.last.find("host"), "a.example:80");
  EXPECT_EQ(*server.last.find("user-agent"), "mine");
  EXPECT_EQ(*server.last.find("content-length"), "0");
  EXPECT_NE(server.last.find("x-a"), nullptr);
}

TEST_F(Checks, TcpIsUpWhereSomebodyListens) {
  HealthWorld w(1);
  CheckedServer server(w, "");
  server.reads = false;
  config::HealthCheck check;
  w.set_check(check);
  w.add("listens", server.address());
  w.add("refuses", config::Endpoint::parse("10.1.0.1:9").value());
  w.run_for(seconds(1));
  EXPECT_EQ(w.told["listens"], "up: connected");
  EXPECT_EQ(w.told["refuses"], "down: connect: refused");
  EXPECT_FALSE(w.world.configuration().is_fit("app", "refuses"));
  w.world.network().faults().black_hole_connect = 1;
  w.run_for(minutes(1));
  EXPECT_EQ(w.told["listens"], "down: connect: timed out after 2s");
}

// The bytes that come first on a connection of a check, of so many.
std::string first_bytes(const config::HealthCheck& check, size_t count) {
  HealthWorld w(1);
  std::string seen;
  ScriptedServer server(w.world, [&](HttpPeer& peer) -> Task<void> { return read_into(peer, seen); });
  w.set_check(check);
  w.add("s", server.address());
  w.run_for(milliseconds(500));
  w.close();
  EXPECT_GE(seen.size(), count);
  return seen.substr(0, count);
}

TEST_F(Checks, AProxyHeaderGoesFirst) {
  config::HealthCheck check = http_check();
  check.proxy_header = config::ProxyHeader::kV1;
  EXPECT_EQ(first_bytes(check, 33), "PROXY UNKNOWN\r\nGET /healthz HTTP/");
  check.proxy_header = config::ProxyHeader::kV2;
  EXPECT_EQ(first_bytes(check, 20), std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET ", 20));
  check.kind = config::TcpCheck();
  EXPECT_EQ(first_bytes(check, 16), std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16));
  check.kind = config::GrpcCheck();
  EXPECT_EQ(first_bytes(check, 19), std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0PRI", 19));
}

TEST_F(Checks, AGrpcServerIsUpWhereItSaysSo) {
  config::HealthCheck check = http_check();
  check.kind = config::GrpcCheck{.service = "shop", .authority = ""};
  auto blind = [](CheckedServer& server) { server.reads = false; };
  const std::string settings("\0\0\0\x04\0\0\0\0\0", 9);
  const std::string headers("\0\0\x01\x01\x04\0\0\0\x01\x88", 10);
  const std::string trailers = std::string("\0\0\x0f\x01\x05\0\0\0\x01\0\x0bgrpc-status\x01", 23) + "0";
  const std::string serving("\0\0\x07\0\0\0\0\0\x01\0\0\0\0\x02\x08\x01", 16);
  EXPECT_EQ(told_of(settings + headers + serving + trailers, check, blind), "up: grpc: SERVING");
  EXPECT_EQ(told_of(settings + headers + trailers, check, blind), "down: grpc: the call failed: there is no message");
  EXPECT_EQ(told_of("HTTP/1.1 400 Bad Request\r\n\r\n", check, blind), "down: grpc: this is no HTTP/2");
  EXPECT_EQ(told_of(settings, check, blind), "down: send: reset") << "closed, with the question unread";
  auto silent = [](CheckedServer& server) {
    server.reads = false;
    server.closes = false;
  };
  EXPECT_EQ(told_of(settings, check, silent), "down: response: timed out after 2s");
  auto pings = [](CheckedServer& server) {
    server.reads = false;
    server.endless = std::string("\0\0\x08\x06\0\0\0\0\0pingping", 17);
  };
  EXPECT_EQ(told_of(settings, check, pings), "down: grpc: more than 64 KiB, and no end");
}

}  // namespace
}  // namespace fairlead::sim
