// The files of Unix sockets, which end with what listens there.
#include "workers_fixture.h"

namespace fairlead::server {
namespace {

class SocketFileTest : public WorkersFixture {
 protected:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string at(const std::string& name) const { return "unix:" + path(name); }
};

TEST_F(SocketFileTest, ADeletedListenerTakesItsFileAlong) {
  must(listener("u", {at("a"), at("b")}));
  must(listener("u", {at("b")}));
  EXPECT_FALSE(std::filesystem::exists(path("a")));
  EXPECT_TRUE(answers(at("b")));
  must(deletion("u"));
  EXPECT_FALSE(std::filesystem::exists(path("b")));
}

TEST_F(SocketFileTest, ARefusedListenerLeavesNoFile) {
  EXPECT_NE(reason_of(apply(listener("u", {at("a")}) + failure())), "");
  EXPECT_FALSE(std::filesystem::exists(path("a")));
}

TEST_F(SocketFileTest, AtTheEndNoFileIsLeft) {
  must(listener("u", {at("a")}));
  stop();
  EXPECT_FALSE(std::filesystem::exists(path("a")));
}

TEST_F(SocketFileTest, WhatSomebodyElsePutThereStays) {
  must(listener("u", {at("a")}));
  std::filesystem::remove(path("a"));
  std::ofstream(path("a")) << "precious";
  must(deletion("u"));
  EXPECT_TRUE(std::filesystem::exists(path("a")));
}

}  // namespace
}  // namespace fairlead::server
