#include "ctl/table.h"

#include "ctl/output.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Table, AlignsTextLeftAndNumbersRight) {
  Table table({{"NAME"}, {"WEIGHT", true}, {"LABELS"}});
  table.add({{"s1"}, {"5"}, {"zone=a"}});
  table.add({{"a-long-name"}, {"1234567"}, {""}});
  table.add({{"\xc3\xa9"}, {"42"}, {"x"}});
  EXPECT_EQ(table.render(false),
            "NAME          WEIGHT  LABELS\n"
            "s1                 5  zone=a\n"
            "a-long-name  1234567\n"
            "\xc3\xa9                 42  x\n");
}

TEST(Table, ColoursOnlyWhereAsked) {
  Table table({{"STATE"}, {"N", true}});
  table.add({{"ready", Colour::kGreen}, {"1"}});
  EXPECT_THAT(table.render(false), Not(HasSubstr("\x1b")));
  EXPECT_THAT(table.render(true), HasSubstr("\x1b[32mready\x1b[0m  1\n"));
}

TEST(Table, LetsNoNameSpeakToTheTerminal) {
  Table table({{"NAME"}});
  table.add({{"a\x1b]0;owned\x07 b\nc\xff \"q\\"}});
  EXPECT_EQ(table.render(true).substr(std::string("\x1b[1mNAME\x1b[0m\n").size()),
            "a\\u001b]0;owned\\u0007 b\\nc\\ufffd \"q\\\n");
}

TEST(Output, ShowsServers) {
  v1::Server server;
  server.set_backend("web");
  server.set_name("s1");
  server.set_address("10.0.0.1:80");
  server.mutable_status()->set_lifecycle(v1::LIFECYCLE_DRAINING);
  server.mutable_status()->set_in_flight(3);
  (*server.mutable_labels())["zone"] = "a";
  (*server.mutable_labels())["tier"] = "x";
  EXPECT_EQ(server_table({server}).render(false),
            "SERVER  ADDRESS      STATE     HEALTH  WEIGHT  IN FLIGHT  QUEUED  LABELS\n"
            "web/s1  10.0.0.1:80  draining  -            0          3       0  tier=x,zone=a\n");
}

TEST(Output, WritesJsonInTheSchemasNames) {
  v1::Server server;
  server.set_max_connections(5);
  EXPECT_EQ(to_json(server, true), "{\"max_connections\":5}");
}

}  // namespace
}  // namespace fairlead::ctl
