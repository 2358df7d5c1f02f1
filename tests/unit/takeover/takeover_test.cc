// Both sides of a takeover against each other, and each against a peer that ends at any step.
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <latch>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "takeover/give.h"
#include "takeover/take.h"

namespace fairlead::takeover {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

Clock::time_point soon() { return Clock::now() + std::chrono::seconds(30); }

// Told apart by their inode.
uint64_t identity(int fd) {
  struct stat file{};
  EXPECT_EQ(::fstat(fd, &file), 0);
  return file.st_ino;
}

base::Descriptor some_socket() { return base::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

class FakeHost : public Host {
 public:
  void listen(Use use, uint64_t uid, const std::string& wanted, const std::string& bound, size_t count) {
    offers_.push_back({use, uid, wanted, bound, {}});
    for (size_t i = 0; i < count; ++i) offers_.back().sockets.push_back(some_socket());
  }
  const std::vector<Offer>& offers() const { return offers_; }

  absl::Status give_up_state() override {
    ++given_up;
    return fail_to_give_up ? absl::InternalError("the disk is full") : absl::OkStatus();
  }
  absl::Status take_state_back(bool changes_count) override {
    ++asked_back;
    its_changes_count = changes_count;
    if (locked_for > 0 && locked_for-- > 0) return absl::FailedPreconditionError("locked by process 1");
    taken_back.count_down();
    return absl::OkStatus();
  }
  std::vector<Offer> offer() override {
    std::vector<Offer> copies;
    for (const Offer& offer : offers_) {
      copies.push_back({offer.use, offer.uid, offer.wanted, offer.bound, {}});
      for (auto& socket : offer.sockets) copies.back().sockets.push_back(base::Descriptor::copy_of(socket.get()));
    }
    return copies;
  }
  std::string secrets() override { return its_secrets; }
  void leave(const std::vector<bool>& kept) override {
    kept_by_other = kept;
    left.count_down();
  }

  std::atomic<int> given_up = 0;
  std::atomic<int> asked_back = 0;
  std::atomic<int> locked_for = 0;
  std::atomic<bool> its_changes_count = false;
  std::atomic<bool> fail_to_give_up = false;
  std::latch taken_back{1};
  std::latch left{1};
  std::vector<bool> kept_by_other;
  std::string its_secrets;

 private:
  std::vector<Offer> offers_;
};

class TakeoverTest : public testing::Test {
 protected:
  TakeoverTest() {
    std::string pattern = testing::TempDir() + "takeover_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~TakeoverTest() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ + "/" + kSocketName; }
  std::unique_ptr<Giver> giver(GiverOptions options = {}) {
    absl::StatusOr<base::Descriptor> listening = listen_at(path());
    EXPECT_TRUE(listening.ok()) << listening.status();
    auto giver = std::make_unique<Giver>(host_, *std::move(listening), options);
    giver->start();
    return giver;
  }
  Connection visit() { return Connection::open(path()).value(); }
  static std::string hear(Connection& connection) {
    absl::StatusOr<Message> message = connection.receive(soon());
    return message.ok() ? message->text.substr(0, message->text.find('\n')) : std::string(message.status().message());
  }
  static void say(Connection& connection, std::string_view text) {
    absl::Status sent = connection.send(text, {}, soon());
    EXPECT_TRUE(sent.ok()) << sent;
  }

  // A process that runs, and ends at a step of its story: plain calls only, because it is a fork.
  template <typename Story>
  pid_t running_process(Story story) {
    absl::StatusOr<base::Descriptor> listening = listen_at(path());
    EXPECT_TRUE(listening.ok()) << listening.status();
    base::Descriptor listens(::eventfd(0, EFD_CLOEXEC));
    uint64_t one = 1;
    pid_t child = ::fork();
    if (child != 0) {
      EXPECT_GT(::read(listens.get(), &one, sizeof one), 0);
      return child;
    }
    listen_again(listening->get());  // now it is this process that listens
    if (::write(listens.get(), &one, sizeof one) < 0) ::_exit(1);
    if (!wait_readable(listening->get(), soon())) ::_exit(1);
    Connection visitor(base::Descriptor(::accept4(listening->get(), nullptr, nullptr, SOCK_NONBLOCK)));
    (void)visitor.receive(soon());
    story(visitor);
    ::_exit(0);
  }
  void bury(pid_t child) { EXPECT_EQ(::waitpid(child, nullptr, 0), child); }

  std::string folder_;
  FakeHost host_;
};

TEST_F(TakeoverTest, AllSocketsChangeHandsAndTheOldOneLeavesWhenTheNewOneServes) {
  host_.listen(Use::kListener, 7, "127.0.0.1:0", "127.0.0.1:4711", 300);  // more than fit one message
  host_.listen(Use::kListener, 8, "unix:/run/a b.sock", "unix:/run/a b.sock", 1);
  host_.listen(Use::kManagement, 0, "unix:/run/m.sock", "unix:/run/m.sock", 1);
  auto running = giver();
  absl::StatusOr<std::optional<Taker>> taker = Taker::ask(folder_, "0.1");
  ASSERT_TRUE(taker.ok() && taker->has_value()) << taker.status();
  const std::vector<Offer>& offers = (*taker)->offers();
  ASSERT_EQ(offers.size(), 3u);
  for (size_t i = 0; i < offers.size(); ++i) {
    const Offer& given = host_.offers()[i];
    EXPECT_EQ(offers[i].use, given.use);
    EXPECT_EQ(offers[i].uid, given.uid);
    EXPECT_EQ(offers[i].wanted, given.wanted);
    EXPECT_EQ(offers[i].bound, given.bound);
    ASSERT_EQ(offers[i].sockets.size(), given.sockets.size());
    for (size_t j = 0; j < given.sockets.size(); ++j) {
      EXPECT_EQ(identity(offers[i].sockets[j].get()), identity(given.sockets[j].get()));
    }
  }
  EXPECT_FALSE(host_.left.try_wait());
  absl::Status confirmed = (*taker)->confirm({true, false, true});
  EXPECT_TRUE(confirmed.ok()) << confirmed;
  host_.left.wait();
  EXPECT_THAT(host_.kept_by_other, ElementsAre(true, false, true));
  EXPECT_TRUE(running->stop());
  EXPECT_EQ(host_.asked_back, 0);
}

TEST_F(TakeoverTest, SecretsGoToWhoAsksForThem) {
  host_.its_secrets = std::string(300'000, 'x') + std::string("\0y\n", 3);
  auto running = giver();
  {
    // A process that knows nothing of them.
    Connection visitor = visit();
    say(visitor, "hello 1 0.1");
    EXPECT_EQ(hear(visitor), "yours");
  }
  host_.taken_back.wait();
  absl::StatusOr<std::optional<Taker>> taker = Taker::ask(folder_, "0.1");
  ASSERT_TRUE(taker.ok() && taker->has_value()) << taker.status();
  EXPECT_EQ((*taker)->secrets(), host_.its_secrets);
  EXPECT_TRUE((*taker)->confirm({}).ok());
}

TEST_F(TakeoverTest, ASecretFileIsOfOneContentAndOneSize) {
  base::Descriptor file = make_secret_file("abc");
  ASSERT_TRUE(file);
  EXPECT_EQ(read_secret_file(file.get()).value(), "abc");
  EXPECT_LT(::pwrite(file.get(), "x", 1, 0), 0);
  EXPECT_NE(::ftruncate(file.get(), 1), 0);
  EXPECT_EQ(read_secret_file(make_secret_file("").get()).value(), "");
  EXPECT_FALSE(read_secret_file(-1).ok());
  base::Descriptor huge(::memfd_create("huge", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(huge.get(), kSecretsMax + 1), 0);
  EXPECT_THAT(std::string(read_secret_file(huge.get()).status().message()), HasSubstr("67108865 bytes"));
}

TEST_F(TakeoverTest, WithoutARunningProcessThereIsNothingToTakeOver) {
  absl::StatusOr<std::optional<Taker>> taker = Taker::ask(folder_, "0.1");
  ASSERT_TRUE(taker.ok()) << taker.status();
  EXPECT_FALSE(taker->has_value());
  {
    auto dead = listen_at(path()).value();
  }  // one that left its file behind
  EXPECT_FALSE(Taker::ask(folder_, "0.1")->has_value());
  EXPECT_TRUE(listen_at(path()).ok());
}

TEST_F(TakeoverTest, TheSocketIsForItsOwnerAlone) {
  auto running = giver();
  struct stat file{};
  ASSERT_EQ(::stat(path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_THAT(listen_at(path()).status().message(), HasSubstr("somebody listens there"));
}

TEST_F(TakeoverTest, AVisitorThatSaysNothingOrNonsenseChangesNothing) {
  auto running = giver({.step = milliseconds(200)});
  Connection silent = visit();
  EXPECT_EQ(hear(silent), "no the other process says nothing");
  Connection nonsense = visit();
  say(nonsense, "GET / HTTP/1.1");
  EXPECT_THAT(hear(nonsense), HasSubstr("where hello was expected"));
  Connection newer = visit();
  say(newer, "hello 2 9.0");
  EXPECT_THAT(hear(newer), HasSubstr("it speaks version 2"));
  {
    Connection hasty = visit();
  }
  EXPECT_FALSE(running->stop());
  EXPECT_EQ(host_.given_up, 0);
}

TEST_F(TakeoverTest, ANewProcessThatEndsBeforeItServesChangesNothing) {
  host_.listen(Use::kListener, 7, "127.0.0.1:80", "127.0.0.1:80", 2);
  auto running = giver();
  {
    Connection doomed = visit();
    say(doomed, "hello 1 0.1");
    ASSERT_EQ(hear(doomed), "sockets");
    ASSERT_EQ(hear(doomed), "yours");
    host_.locked_for = 3;  // until the kernel has seen its end
  }
  host_.taken_back.wait();
  EXPECT_EQ(host_.asked_back, 4);
  EXPECT_FALSE(host_.its_changes_count);
  // The next one finds it as it was.
  absl::StatusOr<std::optional<Taker>> taker = Taker::ask(folder_, "0.1");
  ASSERT_TRUE(taker.ok() && taker->has_value()) << taker.status();
  EXPECT_TRUE((*taker)->confirm({true}).ok());
  EXPECT_TRUE(running->stop());
}

// It may have said that it serves, too late to be heard: then it may have clients.
TEST_F(TakeoverTest, ANewProcessThatTakesTooLongIsToldSo) {
  auto running = giver({.load = milliseconds(100)});
  absl::StatusOr<std::optional<Taker>> taker = Taker::ask(folder_, "0.1");
  ASSERT_TRUE(taker.ok() && taker->has_value()) << taker.status();
  host_.taken_back.wait();
  EXPECT_TRUE(host_.its_changes_count);
  EXPECT_THAT((*taker)->confirm({}).message(), HasSubstr("it does not serve in time; that process goes on"));
  EXPECT_FALSE(running->stop());
}

TEST_F(TakeoverTest, ASecondTakeoverAtTheSameTimeIsRefused) {
  auto running = giver();
  absl::StatusOr<std::optional<Taker>> first = Taker::ask(folder_, "0.1");
  ASSERT_TRUE(first.ok()) << first.status();
  absl::StatusOr<std::optional<Taker>> second = Taker::ask(folder_, "0.1");
  EXPECT_THAT(second.status().message(), HasSubstr("is taking over just now"));
  EXPECT_TRUE((*first)->confirm({}).ok());
}

TEST_F(TakeoverTest, AStateThatCannotBeGivenUpIsTakenBack) {
  host_.fail_to_give_up = true;
  auto running = giver();
  EXPECT_THAT(Taker::ask(folder_, "0.1").status().message(), HasSubstr("the disk is full"));
  host_.taken_back.wait();
  EXPECT_TRUE(host_.its_changes_count);
}

TEST_F(TakeoverTest, AProcessThatIsToldToEndLeavesWhatItHasGivenToTheOtherOne) {
  auto running = giver();
  absl::StatusOr<std::optional<Taker>> taker = Taker::ask(folder_, "0.1");
  ASSERT_TRUE(taker.ok() && taker->has_value()) << taker.status();
  EXPECT_TRUE(running->stop());
  EXPECT_EQ(host_.asked_back, 0);
  EXPECT_TRUE((*taker)->confirm({}).ok());
}

// It has the lock, so it lives and serves, and only the word of it was lost.
TEST_F(TakeoverTest, OneThatSaidThatItServesAndHoldsTheStateHasTakenOver) {
  auto running = giver();
  {
    Connection visitor = visit();
    say(visitor, "hello 1 0.1");
    ASSERT_EQ(hear(visitor), "yours");
    host_.locked_for = 1'000'000;
    say(visitor, "serving ");
  }
  host_.left.wait();
  EXPECT_EQ(host_.its_changes_count, host_.asked_back > 0);  // unless it was still heard
  EXPECT_TRUE(running->stop());
}

TEST_F(TakeoverTest, AnOldProcessThatDiesAtAnyStepLeavesTheNewOneServing) {
  auto silent = [](Connection&) {};
  auto half = [](Connection& visitor) {
    base::Descriptor socket = some_socket();
    int fd = socket.get();
    (void)visitor.send("sockets\n" + write_offer({Use::kListener, 7, 1, "127.0.0.1:80", "127.0.0.1:80"}), {&fd, 1},
                       soon());
  };
  auto whole = [&](Connection& visitor) {
    half(visitor);
    (void)visitor.send("yours", {}, soon());
  };
  auto nearly_gone = [&](Connection& visitor) {
    whole(visitor);
    (void)visitor.receive(soon());
  };
  auto try_one = [&](auto story, size_t offers) {
    pid_t child = running_process(story);
    absl::StatusOr<std::optional<Taker>> taker = Taker::ask(folder_, "0.1");
    ASSERT_TRUE(taker.ok() && taker->has_value()) << taker.status();
    EXPECT_EQ((*taker)->offers().size(), offers);
    absl::Status confirmed = (*taker)->confirm(std::vector<bool>(offers, true));
    EXPECT_TRUE(confirmed.ok()) << confirmed;
    bury(child);
  };
  try_one(silent, 0);
  try_one(half, 1);
  try_one(whole, 1);
  try_one(nearly_gone, 1);
}

TEST_F(TakeoverTest, AnOldProcessThatClosesAndLivesGoesOnAndTheNewOneEnds) {
  pid_t child = running_process([](Connection& visitor) {
    (void)visitor.send("yours", {}, soon());
    (void)visitor.receive(soon());
    visitor = Connection(base::Descriptor());
    ::pause();
  });
  absl::StatusOr<std::optional<Taker>> taker = Taker::ask(folder_, "0.1");
  ASSERT_TRUE(taker.ok() && taker->has_value()) << taker.status();
  EXPECT_THAT((*taker)->confirm({}).message(), HasSubstr("goes on"));
  ::kill(child, SIGKILL);
  bury(child);
}

TEST_F(TakeoverTest, OffersThatDoNotFitTheirDescriptorsAreRefused) {
  std::vector<Offer> offers;
  EXPECT_THAT(add_offers("listener 7 2 127.0.0.1:80\t127.0.0.1:80\n", {}, offers).message(),
              HasSubstr("announced 2 sockets and sent 0"));
  for (const char* bad : {"listener 7 0 no-tab\n", "door 7 0 a\tb\n", "listener x 0 a\tb\n", "listener 7\n"}) {
    EXPECT_THAT(add_offers(bad, {}, offers).message(), HasSubstr("in words of its own")) << bad;
  }
  EXPECT_TRUE(offers.empty());
}

}  // namespace
}  // namespace fairlead::takeover
