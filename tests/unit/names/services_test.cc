// Answers to questions for SRV names: what is read of them, and that whatever comes is bounded.
#include "names/services.h"

#include <gmock/gmock.h>

#include <string>

#include "base/random.h"

namespace fairlead::names {
namespace {

using config::Service;
using testing::ElementsAre;
using testing::SizeIs;

constexpr uint16_t kSrv = 33, kCname = 5, kA = 1;

class Message {
 public:
  Message() { question(); }
  Message& record(const std::string& owner, uint16_t type, uint32_t ttl, const std::string& data) {
    ++answers_;
    body_ += owner;
    u16(type), u16(1), u16(static_cast<uint16_t>(ttl >> 16)), u16(static_cast<uint16_t>(ttl));
    u16(static_cast<uint16_t>(data.size()));
    body_ += data;
    return *this;
  }
  Message& service(uint16_t priority, uint16_t weight, uint16_t port, const std::string& target, uint32_t ttl = 30) {
    std::string data;
    for (uint16_t number : {priority, weight, port}) append(data, number);
    return record(kOwner, kSrv, ttl, data + name(target));
  }
  std::string text() const {
    std::string header("\x12\x34\x81\x80", 4);
    append(header, 1), append(header, answers_), append(header, 0), append(header, 0);
    return header + body_;
  }
  static std::string name(const std::string& text) {
    std::string result;
    for (size_t begin = 0; begin < text.size();) {
      size_t end = std::min(text.find('.', begin), text.size());
      result += static_cast<char>(end - begin);
      result += text.substr(begin, end - begin);
      begin = end + 1;
    }
    return result + '\0';
  }
  static constexpr const char* kOwner = "\xc0\x0c";

 private:
  static void append(std::string& out, uint16_t number) {
    out += static_cast<char>(number >> 8);
    out += static_cast<char>(number);
  }
  void u16(uint16_t number) { append(body_, number); }
  void question() {
    body_ = name("_http._tcp.app.internal");
    u16(kSrv), u16(1);
  }

  std::string body_;
  uint16_t answers_ = 0;
};

std::optional<Part> read(const std::string& bytes) {
  return read_services({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
}

TEST(ServicesTest, ByPriorityThenByName) {
  Part part = *read(Message()
                        .service(20, 5, 81, "B.Internal", 60)
                        .service(10, 0, 80, "c.internal", 90)
                        .service(10, 65535, 80, "a.internal", 45)
                        .text());
  EXPECT_FALSE(part.failure);
  EXPECT_THAT(part.services, ElementsAre(Service{10, "a.internal", 80, 65535}, Service{10, "c.internal", 80, 0},
                                         Service{20, "b.internal", 81, 5}));
  EXPECT_EQ(part.ttl, std::chrono::seconds(45)) << "the shortest";
}

TEST(ServicesTest, APlaceIsThereOnce) {
  Part part = *read(Message()
                        .service(20, 9, 80, "a.internal")
                        .service(10, 1, 80, "A.internal")
                        .service(10, 7, 80, "a.internal")
                        .service(10, 1, 81, "a.internal")
                        .text());
  EXPECT_THAT(part.services, ElementsAre(Service{10, "a.internal", 80, 7}, Service{10, "a.internal", 81, 1}))
      << "the best of them";
}

TEST(ServicesTest, AliasesLeadThereAndOtherRecordsDoNotMatter) {
  Part part = *read(Message()
                        .record(Message::kOwner, kCname, 5, Message::name("_http._tcp.other.internal"))
                        .record(Message::name("_http._tcp.other.internal"), kSrv, 30,
                                std::string("\0\1\0\2\0\120", 6) + Message::name("a.internal"))
                        .record(Message::kOwner, kA, 1, "\x7f\1\1\1")
                        .text());
  EXPECT_THAT(part.services, ElementsAre(Service{1, "a.internal", 80, 2}));
  EXPECT_EQ(part.ttl, std::chrono::seconds(5));
}

TEST(ServicesTest, WhatIsNoAnswer) {
  auto problem = [](const Message& message) {
    std::optional<Part> part = read(message.text());
    EXPECT_TRUE(part && part->failure == Failure::kNoName);
    return part ? part->problem : "";
  };
  EXPECT_EQ(problem(Message()), "it has no SRV record");
  EXPECT_EQ(problem(Message().record(Message::kOwner, kA, 1, "\x7f\1\1\1")), "it has no SRV record");
  EXPECT_EQ(problem(Message().service(0, 0, 0, "")), "the service is not offered there (target \".\")");
  std::string none = "no target of it is a host's name with a port";
  EXPECT_EQ(problem(Message().service(0, 0, 0, "a.internal")), none);
  EXPECT_EQ(problem(Message().service(0, 0, 80, "10.0.0.1")), none);
  EXPECT_EQ(problem(Message().service(0, 0, 80, "a b.internal")), none);
  EXPECT_EQ(problem(Message().service(0, 0, 80, "*.internal")), none);
}

TEST(ServicesTest, OthersAreLeftOut) {
  Part part = *read(Message().service(0, 1, 80, "a b").service(0, 1, 80, "a.internal").service(0, 1, 0, "c").text());
  EXPECT_THAT(part.services, ElementsAre(Service{0, "a.internal", 80, 1}));
}

TEST(ServicesTest, ALongTtlAndANegativeOne) {
  EXPECT_EQ(read(Message().service(0, 0, 1, "a", 0x7fffffff).text())->ttl, std::chrono::seconds(0x7fffffff));
  EXPECT_EQ(read(Message().service(0, 0, 1, "a", 0x80000000).text())->ttl, std::chrono::seconds(0));
}

TEST(ServicesTest, AnEnormousAnswerIsBounded) {
  Message message;
  for (uint16_t i = 0; i < 3000; ++i) message.service(static_cast<uint16_t>(i % 2), 1, 80, "n" + std::to_string(i));
  Part part = *read(message.text());
  EXPECT_THAT(part.services, SizeIs(config::kDiscoveredMax));
  EXPECT_EQ(part.left_out, 2000u);
  for (const Service& service : part.services) EXPECT_EQ(service.priority, 0) << "the best";
}

TEST(ServicesTest, CutAnywhereItCannotBeRead) {
  std::string whole = Message().service(1, 2, 80, "a.internal").service(3, 4, 81, "b.internal").text();
  ASSERT_TRUE(read(whole));
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(read(whole.substr(0, size))) << size;
}

TEST(ServicesTest, MalformedOnesCannotBeRead) {
  std::string loop = Message::kOwner;
  EXPECT_FALSE(read(Message().record("\xc0\x22", kCname, 0, "x").text())) << "a pointer to itself";
  EXPECT_FALSE(read(Message().record(loop, kSrv, 0, std::string("\0\0\0\0\0\1\xc0\x34", 8)).text())) << "to itself";
  EXPECT_FALSE(read(Message().record(loop, kSrv, 0, std::string("\0\0\0\0\0\1\xff\xff", 8)).text())) << "beyond";
  EXPECT_FALSE(read(Message().record(loop, kSrv, 0, std::string("\0\0\0\0\0\1\1a\0x", 10)).text()))
      << "bytes behind it";
  EXPECT_FALSE(read(Message().record(loop, kSrv, 0, "\1").text())) << "too short";
}

TEST(ServicesTest, BytesOfAnyKindAreBounded) {
  uint64_t seed = testing::UnitTest::GetInstance()->random_seed();
  SCOPED_TRACE(seed);
  base::Random random(seed);
  std::string whole = Message().service(1, 2, 80, "a.internal").service(3, 4, 81, "b.internal").text();
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (uint64_t i = random.below(6) + 1; i > 0; --i)
      bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    if (std::optional<Part> part = read(bytes)) EXPECT_TRUE(part->failure || part->services.size() <= 2);
  }
}

}  // namespace
}  // namespace fairlead::names
