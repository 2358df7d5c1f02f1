#include "codec/client_hello.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace fairlead::codec {
namespace {

std::string number(size_t value, size_t width) {
  std::string bytes;
  for (size_t i = width; i-- > 0;) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}
std::string sized(size_t width, const std::string& bytes) { return number(bytes.size(), width) + bytes; }
std::string extension(size_t type, const std::string& bytes) { return number(type, 2) + sized(2, bytes); }
std::string server_name(const std::string& host, char type = 0) {
  return extension(0, sized(2, std::string(1, type) + sized(2, host)));
}
std::string alpn(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) list += sized(1, protocol);
  return extension(16, sized(2, list));
}

std::string message(const std::string& body) { return "\x01" + sized(3, body); }
std::string body_with(const std::string& extensions) {
  std::string body =
      "\x03\x03" + std::string(32, 'r') + sized(1, "session") + sized(2, "\x13\x01") + sized(1, std::string(1, '\0'));
  return body + sized(2, extensions);
}
std::string records(const std::string& bytes, size_t size = 16384) {
  std::string all;
  for (size_t at = 0; at < bytes.size(); at += size) {
    all += "\x16\x03\x01" + sized(2, bytes.substr(at, size));
  }
  return all;
}
std::string hello_with(const std::string& extensions) { return records(message(body_with(extensions))); }

struct Read {
  HelloState state;
  std::string server_name;
  std::string protocols;
  friend bool operator==(const Read&, const Read&) = default;
};

Read read(const std::string& bytes) {
  static std::array<char, kMaxClientHello> memory;
  // Alone, so that a sanitizer sees a read behind it.
  auto alone = std::make_unique<char[]>(bytes.size());
  bytes.copy(alone.get(), bytes.size());
  ClientHello hello;
  HelloState state = parse_client_hello({alone.get(), bytes.size()}, memory, hello);
  if (state != HelloState::kComplete) return {state, "", ""};
  return {state, std::string(hello.server_name), std::string(hello.protocols)};
}

const std::string kHello =
    hello_with(extension(43, "\x02\x03\x04") + server_name("Example.COM") + alpn({"h2", "http/1.1"}));
const Read kRead{HelloState::kComplete, "Example.COM", sized(1, "h2") + sized(1, "http/1.1")};

TEST(ClientHelloTest, SaysWhomItWants) {
  EXPECT_EQ(read(kHello), kRead);
  EXPECT_EQ(read(kHello + "what follows"), kRead);
  EXPECT_EQ(read(hello_with("")), (Read{HelloState::kComplete, "", ""}));
  std::string without = body_with("");
  without.resize(without.size() - 2);
  EXPECT_EQ(read(records(message(without))), (Read{HelloState::kComplete, "", ""})) << "before there were extensions";
  ClientHello hello{.server_name = {}, .protocols = kRead.protocols};
  EXPECT_TRUE(hello.offers("h2"));
  EXPECT_TRUE(hello.offers("http/1.1"));
  for (const char* other : {"h", "h22", "2h", "", "http/1.0"}) EXPECT_FALSE(hello.offers(other)) << other;
}

TEST(ClientHelloTest, IsReadHoweverItIsCut) {
  std::string whole =
      message(body_with(server_name("Example.COM") + alpn({"h2", "http/1.1"}) + extension(21, std::string(700, '\0'))));
  for (size_t size : {1, 2, 3, 4, 5, 100, 512, 16384}) EXPECT_EQ(read(records(whole, size)), kRead) << size;
  for (const std::string& bytes : {kHello, records(whole, 7)}) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_EQ(read(bytes.substr(0, size)).state, HelloState::kIncomplete) << size;
    }
    EXPECT_EQ(read(bytes), kRead);
  }
}

TEST(ClientHelloTest, WhatIsNoneIsRefused) {
  const std::string name = server_name("a.example");
  for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n"),
                                   std::string("\x16\x02"),
                                   std::string("\x15\x03\x01"),
                                   std::string("\x80\x2e\x01"),
                                   std::string("\x16\x03\x01\0\0", 5),
                                   "\x16\x03\x01" + number(16385, 2),
                                   records(std::string("\x02")),
                                   records("\x01" + number(kMaxClientHello, 3)),
                                   records(message("")),
                                   records(message("\x03\x03")),
                                   records(message(body_with(name)) + "x"),
                                   records(message(body_with(name) + "x")),
                                   hello_with(name + name),
                                   hello_with(alpn({"h2"}) + alpn({"h2"})),
                                   hello_with(name + "x"),
                                   hello_with(name + number(7, 2)),
                                   hello_with(name + extension(7, "abc").substr(0, 6)),
                                   hello_with(server_name("")),
                                   hello_with(server_name(std::string(256, 'a'))),
                                   hello_with(server_name(std::string("a.example\0.b", 12))),
                                   hello_with(server_name("a", 1)),
                                   hello_with(extension(0, "")),
                                   hello_with(extension(0, sized(2, ""))),
                                   hello_with(extension(0, sized(2, "") + "x")),
                                   hello_with(extension(16, "")),
                                   hello_with(alpn({})),
                                   hello_with(alpn({""})),
                                   hello_with(alpn({"h2", ""})),
                                   hello_with(extension(16, sized(2, "\x05h2")))}) {
    EXPECT_EQ(read(bytes).state, HelloState::kMalformed) << bytes;
  }
}

TEST(ClientHelloTest, NothingItIsGivenHurts) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = kHello;
    for (uint64_t changes = 1 + random() % 4; changes-- > 0;) {
      size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 3);
          break;
        default:
          bytes.insert(at, 1 + random() % 3, static_cast<char>(random()));
      }
      if (bytes.empty()) bytes = "\x16";
    }
    Read all = read(bytes);
    if (all.state != HelloState::kComplete) continue;
    EXPECT_LE(all.server_name.size(), 255u);
    // What is complete stays so, whatever follows it.
    EXPECT_EQ(read(bytes + "x"), all);
  }
}

}  // namespace
}  // namespace fairlead::codec
