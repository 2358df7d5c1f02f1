// Addresses that go from one listener to another within a transaction.
#include "gmock/gmock.h"
#include "workers_fixture.h"

namespace fairlead::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MoveAddressTest : public WorkersFixture {
 protected:
  void SetUp() override {
    must(listener("a", {"127.0.0.1:0"}));
    address_ = bound("a").at(0);
  }
  // The same port, on all addresses.
  std::string everywhere() const { return "0.0.0.0" + address_.substr(address_.rfind(':')); }

  std::string address_;
};

TEST_F(MoveAddressTest, ADeletedListenersAddressCanBeTakenInTheSameTransaction) {
  must(deletion("a") + listener("b", {address_}));
  EXPECT_THAT(bound("b"), ElementsAre(address_));
  EXPECT_TRUE(answers_always(address_));
}

TEST_F(MoveAddressTest, AnAddressCanMoveBetweenListeners) {
  must(listener("b", {"127.0.0.1:0"}));
  std::string other = bound("b").at(0);
  must(listener("b", {"unix:" + folder_ + "/b.sock"}) + listener("a", {"127.0.0.1:0", other}));
  EXPECT_THAT(bound("a"), ElementsAre(address_, other));
  EXPECT_TRUE(answers_always(address_));
  EXPECT_TRUE(answers_always(other));
  must(listener("a", {other}) + listener("b", {address_}));
  EXPECT_THAT(bound("b"), ElementsAre(address_));
  EXPECT_TRUE(answers_always(address_));
  EXPECT_TRUE(answers_always(other));
}

TEST_F(MoveAddressTest, ARefusedMoveLeavesAllAsItWas) {
  std::string before = bound("a").at(0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(reason_of(apply(deletion("a") + listener("b", {address_}) + failure())), HasSubstr("backend nobody"));
    EXPECT_TRUE(answers_always(address_));
  }
  EXPECT_THAT(bound("a"), ElementsAre(before));
  must(deletion("a"));
  must(listener("b", {address_}));
  EXPECT_TRUE(answers_always(address_));
}

TEST_F(MoveAddressTest, OneAddressAndAllAddressesOfAPortReplaceEachOther) {
  // A port that nobody has at any address.
  must(listener("a", {"0.0.0.0:0"}));
  const std::string all = bound("a").at(0);
  address_ = "127.0.0.1" + all.substr(all.rfind(':'));
  must(listener("a", {address_}));
  EXPECT_TRUE(answers_always(address_));
  must(listener("a", {everywhere()}));
  EXPECT_TRUE(answers_always(address_));
  must(deletion("a") + listener("b", {address_}));
  EXPECT_TRUE(answers_always(address_));
  must(deletion("b"));
  must(listener("c", {everywhere()}));
  EXPECT_TRUE(answers_always(address_));
}

TEST_F(MoveAddressTest, TwoListenersNeverShareAPort) {
  EXPECT_THAT(reason_of(apply(listener("b", {address_}))), HasSubstr("is in use by listener a"));
  EXPECT_THAT(reason_of(apply(listener("b", {everywhere()}))), HasSubstr("is in use by listener a"));
  EXPECT_THAT(reason_of(apply(listener("a", {"127.0.0.1:0", everywhere()}))), HasSubstr("\" beside it"));
}

TEST_F(MoveAddressTest, AUnixSocketTakesTwoTransactions) {
  std::string path = "unix:" + folder_ + "/web.sock";
  must(listener("u", {path}));
  std::string reason = reason_of(apply(deletion("u") + listener("v", {path})));
  EXPECT_THAT(reason, HasSubstr("listener v: bind: " + path));
  EXPECT_THAT(reason, HasSubstr("give it up in a transaction of its own first"));
  EXPECT_TRUE(answers_always(path));
  must(deletion("u"));
  must(listener("v", {path}));
  EXPECT_TRUE(answers_always(path));
}

}  // namespace
}  // namespace fairlead::server
