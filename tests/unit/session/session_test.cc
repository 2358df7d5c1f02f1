#include "session/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fake_dataplane.h"
#include "threads/monitor.h"

namespace fairlead::session {
namespace {

namespace api = fairlead::v1;
using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

class SessionTest : public testing::Test {
 protected:
  SessionOptions options() {
    return {.dataplane = dataplane_.address(),
            .backend = "app",
            .refresh = absl::Hours(1),
            .answer_timeout = absl::Seconds(20),
            .first_wait = absl::Milliseconds(1),
            .longest_wait = absl::Milliseconds(50),
            .seed = 1};
  }
  void open() { open(options()); }
  void open(SessionOptions session) {
    session_.emplace(std::move(session), [this](Event event) {
      threads::Monitor::Lock lock(mutex_);
      events_.push_back(std::move(event));
    });
  }
  // The next event, which must be of this kind.
  template <typename Kind>
  Kind next() {
    threads::Monitor::Lock lock(mutex_);
    const auto any = [this] { return !events_.empty(); };
    if (!lock.wait_for(absl::Seconds(30), any)) {
      ADD_FAILURE() << "nothing happens";
      return {};
    }
    const Event event = std::move(events_.front());
    events_.pop_front();
    const Kind* known = std::get_if<Kind>(&event);
    if (known == nullptr) ADD_FAILURE() << "an event of kind " << event.index();
    return known == nullptr ? Kind{} : *known;
  }
  Event any() {
    threads::Monitor::Lock lock(mutex_);
    const auto there = [this] { return !events_.empty(); };
    if (!lock.wait_for(absl::Seconds(30), there)) {
      ADD_FAILURE() << "nothing happens";
      return {};
    }
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  void put(std::uint64_t id, const std::string& server) {
    session_->submit({.id = id, .server = server, .address = "10.0.0.1:80", .labels = {{"pid", "7"}}});
  }

  FakeDataplane dataplane_;
  threads::Monitor mutex_;
  std::deque<Event> events_;
  std::optional<Session> session_;
};

TEST_F(SessionTest, TellsWhatIsThereBeforeAnythingElse) {
  for (const char* name : {"s1", "s2", "s3", "s4", "s5"}) {
    api::Server server;
    server.set_backend("app");
    server.set_name(name);
    server.set_address("10.0.0.1:80");
    if (std::string(name) != "s3") (*server.mutable_labels())["managed-by"] = "fairlead-autoscaler";
    server.mutable_status()->set_lifecycle(api::LIFECYCLE_READY);
    if (std::string(name) == "s4") server.mutable_status()->set_lifecycle(api::LIFECYCLE_DRAINED);
    if (std::string(name) == "s5") server.mutable_status()->mutable_drain_deadline()->set_seconds(1);
    dataplane_.add(server);
  }
  open();
  const Connected connected = next<Connected>();
  EXPECT_EQ(connected.epoch, 41u);
  const auto is = [](const char* name, Presence presence) {
    return AllOf(Field(&ListedServer::name, name), Field(&ListedServer::presence, presence));
  };
  EXPECT_THAT(connected.listing.servers, ElementsAre(is("s1", Presence::kReady), is("s2", Presence::kReady),
                                                     is("s4", Presence::kDrained), is("s5", Presence::kRemoving)));
  ASSERT_EQ(dataplane_.opens().size(), 1u);
  EXPECT_EQ(dataplane_.opens()[0].acknowledgement_level(), api::ACKNOWLEDGEMENT_LEVEL_ACTIVE);
  EXPECT_TRUE(dataplane_.opens()[0].server_events());
}

TEST_F(SessionTest, ResultsComeInOrder) {
  open();
  next<Connected>();
  for (std::uint64_t id = 1; id <= 50; ++id) put(id, absl::StrCat("s", id));
  for (std::uint64_t id = 1; id <= 50; ++id) {
    const Done done = next<Done>();
    ASSERT_EQ(done.id, id);
    ASSERT_EQ(done.version, id + 1);
  }
}

TEST_F(SessionTest, AResultMayStandForAllBefore) {
  dataplane_.answer_every(10);
  open();
  next<Connected>();
  for (std::uint64_t id = 1; id <= 20; ++id) put(id, "s1");
  EXPECT_EQ(next<Done>().id, 10u);
  EXPECT_EQ(next<Done>().id, 20u);
}

TEST_F(SessionTest, SaysEachChangeInTheWordsOfTheApi) {
  open();
  next<Connected>();
  put(1, "s1");
  session_->submit({.id = 2, .kind = ChangeKind::kDrain, .server = "s1", .address = "", .labels = {}});
  session_->submit({.id = 3, .kind = ChangeKind::kDelete, .server = "s1", .address = "", .labels = {}});
  session_->submit({.id = 4, .kind = ChangeKind::kDelete, .server = "s1", .address = "", .labels = {}});
  for (int i = 1; i <= 3; ++i) EXPECT_FALSE(next<Done>().unchanged);
  EXPECT_TRUE(next<Done>().unchanged);
  const std::vector<api::Transaction> sent = dataplane_.transactions();
  const api::Server& added = sent[0].operations(0).upsert().server();
  EXPECT_EQ(added.backend(), "app");
  EXPECT_EQ(added.address(), "10.0.0.1:80");
  EXPECT_EQ(added.admin_state(), api::ADMIN_STATE_READY);
  EXPECT_EQ(added.labels().at("managed-by"), "fairlead-autoscaler");
  EXPECT_EQ(added.labels().at("pid"), "7");
  const api::Patch& drained = sent[1].operations(0).patch();
  EXPECT_EQ(drained.resource().server().admin_state(), api::ADMIN_STATE_DRAIN);
  EXPECT_THAT(drained.update_mask().paths(), ElementsAre("admin_state"));
  const api::Delete& deleted = sent[2].operations(0).delete_();
  EXPECT_EQ(deleted.server().name(), "s1");
  EXPECT_TRUE(deleted.drain().has_timeout());
  EXPECT_EQ(deleted.drain().timeout().seconds(), 0);
}

TEST_F(SessionTest, ARefusalSaysWhyAndDoesNotEndTheSession) {
  dataplane_.refuse_all(api::REASON_NOT_FOUND);
  open();
  next<Connected>();
  put(1, "s1");
  const Refused refused = next<Refused>();
  EXPECT_EQ(refused.id, 1u);
  EXPECT_TRUE(refused.not_found);
  EXPECT_EQ(refused.why, "not today");
  dataplane_.refuse_all(api::REASON_UNSPECIFIED);
  put(2, "s1");
  EXPECT_EQ(next<Done>().id, 2u);
}

TEST_F(SessionTest, PassesOnWhatBecomesOfServers) {
  open();
  next<Connected>();
  api::StreamUpdatesResponse response;
  api::ServerEvent& event = *response.mutable_server_event();
  event.mutable_server()->set_backend("other");
  event.mutable_server()->set_name("s9");
  dataplane_.send(response);
  event.mutable_server()->set_backend("app");
  event.set_lifecycle(api::LIFECYCLE_REMOVED);
  event.set_cut_off(3);
  event.set_version(12);
  dataplane_.send(response);
  const Moved moved = next<Moved>();
  EXPECT_EQ(moved.server, "s9");
  EXPECT_EQ(moved.presence, Presence::kAbsent);
  EXPECT_EQ(moved.cut_off, 3u);
  EXPECT_EQ(moved.version, 12u);
}

TEST_F(SessionTest, ALostSessionIsOpenedAgainAndReadsWhatIsThere) {
  open();
  next<Connected>();
  put(1, "s1");
  next<Done>();
  dataplane_.stop();
  EXPECT_FALSE(next<Lost>().why.empty());
  dataplane_.start();
  // Tries in between may tell another reason.
  Connected connected;
  do {
    threads::Monitor::Lock lock(mutex_);
    const auto any = [this] { return !events_.empty(); };
    ASSERT_TRUE(lock.wait_for(absl::Seconds(30), any));
    if (const auto* again = std::get_if<Connected>(&events_.front())) connected = *again;
    events_.pop_front();
  } while (connected.epoch == 0);
  EXPECT_THAT(connected.listing.servers, ElementsAre(Field(&ListedServer::name, "s1")));
}

TEST_F(SessionTest, ADataPlaneThatIsNotThereYetIsFoundLater) {
  dataplane_.stop();
  open();
  EXPECT_THAT(next<Lost>().why, HasSubstr("UNAVAILABLE"));
  dataplane_.forget_everything();
  dataplane_.start();
  // Equal failures are told once.
  EXPECT_EQ(next<Connected>().epoch, 42u);
}

TEST_F(SessionTest, ReadsAgainEveryNowAndThen) {
  SessionOptions session = options();
  session.refresh = absl::Milliseconds(1);
  open(session);
  next<Connected>();
  next<Listed>();
  api::Server server;
  server.set_name("s1");
  (*server.mutable_labels())["managed-by"] = "fairlead-autoscaler";
  dataplane_.add(server);
  while (next<Listed>().listing.servers.empty() && !HasFailure()) {
  }
}

TEST_F(SessionTest, ADataPlaneThatHangsCountsAsLost) {
  SessionOptions session = options();
  session.refresh = absl::Milliseconds(1);
  session.answer_timeout = absl::Milliseconds(100);
  open(session);
  next<Connected>();
  dataplane_.hang(true);
  while (!HasFailure()) {
    threads::Monitor::Lock lock(mutex_);
    const auto any = [this] { return !events_.empty(); };
    ASSERT_TRUE(lock.wait_for(absl::Seconds(30), any));
    const Event event = std::move(events_.front());
    events_.pop_front();
    if (const auto* lost = std::get_if<Lost>(&event)) {
      EXPECT_THAT(lost->why, HasSubstr("DEADLINE_EXCEEDED"));
      return;
    }
  }
}

TEST_F(SessionTest, OpensWithItsElectionId) {
  SessionOptions session = options();
  session.election_id = {.high = 3, .low = 7};
  open(session);
  EXPECT_EQ(next<Connected>().superseded_by, "");
  ASSERT_EQ(dataplane_.opens().size(), 1u);
  EXPECT_EQ(dataplane_.opens()[0].election_id().high(), 3u);
  EXPECT_EQ(dataplane_.opens()[0].election_id().low(), 7u);
}

TEST_F(SessionTest, OneThatIsSupersededLearnsIt) {
  SessionOptions older = options();
  older.election_id = {.high = 0, .low = 5};
  open(older);
  next<Connected>();
  SessionOptions newer = options();
  newer.election_id = {.high = 0, .low = 6};
  Session other(newer, [](const Event&) {});
  ASSERT_TRUE(dataplane_.wait_until([this] { return dataplane_.opens().size() == 2; }));
  put(1, "s1");
  EXPECT_TRUE(next<Refused>().not_primary);
  EXPECT_THAT(dataplane_.servers(), ElementsAre());
  session_.reset();
  next<Lost>();
  // It is told when it opens, and whenever it reads.
  older.refresh = absl::Milliseconds(1);
  open(older);
  EXPECT_EQ(next<Connected>().superseded_by, "6");
  EXPECT_EQ(next<Listed>().superseded_by, "6");
}

TEST_F(SessionTest, IdsGoOnAfterThoseOfAnEarlierLife) {
  dataplane_.used_ids_up_to(1000);
  open();
  next<Connected>();
  put(1, "s1");
  put(2, "s1");
  EXPECT_EQ(next<Done>().id, 1u);
  EXPECT_EQ(next<Done>().id, 2u);
  EXPECT_EQ(dataplane_.transactions()[0].id(), 1001u);
  EXPECT_EQ(dataplane_.transactions()[1].id(), 1002u);
  dataplane_.stop();
  dataplane_.start();
  while (!std::holds_alternative<Connected>(any()) && !HasFailure()) {
  }
  put(3, "s1");
  EXPECT_EQ(next<Done>().id, 3u);
  EXPECT_EQ(dataplane_.transactions()[2].id(), 1005u);
}

TEST_F(SessionTest, ItsHeartKeepsBeating) {
  api::Limits limits;
  limits.mutable_silence()->set_nanos(absl::ToInt64Nanoseconds(absl::Milliseconds(300)));
  dataplane_.limit(limits);
  open();
  next<Connected>();
  EXPECT_TRUE(dataplane_.wait_until([this] { return dataplane_.heartbeats() >= 5; }));
  put(1, "s1");
  EXPECT_EQ(next<Done>().id, 1u);
}

TEST_F(SessionTest, ADataPlaneThatSaysNothingCountsAsLost) {
  api::Limits limits;
  limits.mutable_silence()->set_nanos(absl::ToInt64Nanoseconds(absl::Milliseconds(300)));
  dataplane_.limit(limits);
  dataplane_.be_silent();
  open();
  next<Connected>();
  EXPECT_EQ(next<Lost>().why, "nothing came within 300ms");
}

TEST_F(SessionTest, NoMoreIsUnansweredThanTheWindowAllows) {
  api::Limits limits;
  limits.set_unanswered_operations(3);
  dataplane_.limit(limits);
  dataplane_.hold_results(true);
  SessionOptions session = options();
  session.refresh = absl::Milliseconds(1);
  open(session);
  next<Connected>();
  for (std::uint64_t id = 1; id <= 5; ++id) put(id, "s1");
  ASSERT_TRUE(dataplane_.wait_until([this] { return dataplane_.transactions().size() >= 3; }));
  // The thread that would send more has had its chances when it has listed in between.
  const int listings = dataplane_.listings();
  ASSERT_TRUE(dataplane_.wait_until([&] { return dataplane_.listings() > listings + 3; }));
  EXPECT_EQ(dataplane_.transactions().size(), 3u);
  dataplane_.hold_results(false);
  EXPECT_TRUE(dataplane_.wait_until([this] { return dataplane_.transactions().size() == 5; }));
}

}  // namespace
}  // namespace fairlead::session
