// With real processes: small shell scripts in the place of servers.
#include "providers/process_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "temporary_folder.h"
#include "threads/monitor.h"

namespace fairlead::providers {
namespace {

using testing::HasSubstr;

constexpr char kServes[] = "#!/bin/sh\nprintf '{\"listen\":\"10.0.0.1:80\"}' > \"$1\"\nexec sleep 1000\n";
constexpr char kNeverReady[] = "#!/bin/sh\nexec sleep 1000\n";
constexpr char kFails[] = "#!/bin/sh\necho broken\nexit 3\n";
constexpr char kStubborn[] =
    "#!/bin/sh\ntrap '' TERM\nprintf '{\"listen\":\"10.0.0.1:80\"}' > \"$1\"\nwhile :; do sleep 0.01; done\n";

class ProcessProviderTest : public testing::Test {
 protected:
  ~ProcessProviderTest() override {
    provider_.reset();
    for (const pid_t pid : started_) kill(pid, SIGKILL);
  }

  void open(const char* script) {
    const std::string path = folder_.write("server.sh", script);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    options_.command = absl::StrCat(path, " {ready_file}");
    provider_.reset();
    auto state = StateDirectory::open(folder_.path() + "/state");
    ASSERT_TRUE(state.ok()) << state.status();
    provider_ = std::make_unique<ProcessProvider>(options_, *std::move(state), [this](Event event) {
      threads::Monitor::Lock lock(mutex_);
      events_.push_back(std::move(event));
    });
  }
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
  Instance start(const std::string& name) {
    provider_->start(name);
    const Instance instance = next<Started>().instance;
    if (!instance.labels.empty()) started_.push_back(pid_of(instance));
    return instance;
  }
  static pid_t pid_of(const Instance& instance) { return std::stoi(instance.labels.at("pid")); }
  static bool lives(const Instance& instance) {
    return Process::find({pid_of(instance), std::stoull(instance.labels.at("process-start"))}).has_value();
  }

  TemporaryFolder folder_;
  LaunchOptions options_{.health_path = "", .start_timeout = absl::Seconds(20), .stop_timeout = absl::Seconds(20)};
  threads::Monitor mutex_;
  std::deque<Event> events_;
  std::vector<pid_t> started_;
  std::unique_ptr<ProcessProvider> provider_;
};

TEST_F(ProcessProviderTest, StartsAndStops) {
  open(kServes);
  const Instance instance = start("s1");
  EXPECT_EQ(instance.name, "s1");
  EXPECT_EQ(instance.address, "10.0.0.1:80");
  EXPECT_TRUE(lives(instance));
  provider_->stop("s1");
  EXPECT_EQ(next<Stopped>().name, "s1");
  EXPECT_FALSE(lives(instance));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() + "/state/servers"));
}

TEST_F(ProcessProviderTest, AStubbornOneIsKilled) {
  options_.stop_timeout = absl::Milliseconds(50);
  open(kStubborn);
  const Instance instance = start("s1");
  provider_->stop("s1");
  next<Stopped>();
  EXPECT_FALSE(lives(instance));
}

TEST_F(ProcessProviderTest, SaysWhyAStartFailed) {
  open(kFails);
  provider_->start("s1");
  const StartFailed failed = next<StartFailed>();
  EXPECT_THAT(failed.why, HasSubstr("exit status 3"));
  // The log that it names tells more.
  EXPECT_EQ(read_file(folder_.path() + "/state/servers/s1.log"), "broken\n");
  EXPECT_THAT(failed.why, HasSubstr(folder_.path() + "/state/servers/s1.log"));
}

TEST_F(ProcessProviderTest, AProgramThatIsNotThereIsNamed) {
  open(kFails);
  std::filesystem::remove(folder_.path() + "/server.sh");
  provider_->start("s1");
  EXPECT_THAT(next<StartFailed>().why, HasSubstr("server.sh"));
}

TEST_F(ProcessProviderTest, OneThatIsNeverReadyIsGivenUp) {
  options_.start_timeout = absl::Milliseconds(50);
  open(kNeverReady);
  provider_->start("s1");
  EXPECT_THAT(next<StartFailed>().why, HasSubstr("not ready in time"));
}

TEST_F(ProcessProviderTest, OneThatDoesNotAnswerIsGivenUp) {
  options_.start_timeout = absl::Milliseconds(200);
  options_.health_path = "/healthz";
  open("#!/bin/sh\nprintf '{\"listen\":\"unix:/no/such\"}' > \"$1\"\nexec sleep 1000\n");
  provider_->start("s1");
  EXPECT_THAT(next<StartFailed>().why, HasSubstr("waiting for unix:/no/such/healthz: connect"));
}

TEST_F(ProcessProviderTest, AStopDuringTheStartEndsIt) {
  open(kNeverReady);
  provider_->start("s1");
  provider_->stop("s1");
  EXPECT_EQ(next<Stopped>().name, "s1");
}

TEST_F(ProcessProviderTest, TellsWhenOneEndsByItself) {
  open(kServes);
  const Instance instance = start("s1");
  kill(pid_of(instance), SIGKILL);
  EXPECT_THAT(next<Exited>().why, HasSubstr("signal 9"));
  // Who stops it all the same gets an answer.
  provider_->stop("s1");
  EXPECT_EQ(next<Stopped>().name, "s1");
}

TEST_F(ProcessProviderTest, TheNextLifeFindsWhatRuns) {
  open(kServes);
  const Instance first = start("s1");
  const Instance second = start("s7");
  const Instance dead = start("s3");
  provider_.reset();
  EXPECT_TRUE(lives(first));
  kill(pid_of(dead), SIGKILL);
  // Our own child until it is reaped; whoever finds it dead takes it for dead.
  waitpid(pid_of(dead), nullptr, 0);
  open(kServes);
  const Recovery recovery = provider_->recover();
  EXPECT_EQ(recovery.highest_number, 7);
  ASSERT_EQ(recovery.instances.size(), 2u);
  for (const Instance& instance : recovery.instances) {
    EXPECT_EQ(instance.labels, (instance.name == "s1" ? first : second).labels);
    EXPECT_EQ(instance.address, "10.0.0.1:80");
  }
  provider_->stop("s7");
  EXPECT_EQ(next<Stopped>().name, "s7");
  EXPECT_FALSE(lives(second));
  kill(pid_of(first), SIGKILL);
  EXPECT_EQ(next<Exited>().name, "s1");
}

TEST_F(ProcessProviderTest, AdoptsByLabelsWhatStillLives) {
  open(kServes);
  const Instance instance = start("s1");
  provider_.reset();
  std::filesystem::remove_all(folder_.path() + "/state");
  open(kServes);
  EXPECT_TRUE(provider_->recover().instances.empty());
  provider_->adopt(instance);
  EXPECT_EQ(next<Adopted>().instance.name, "s1");
  provider_->stop("s1");
  EXPECT_EQ(next<Stopped>().name, "s1");
  EXPECT_FALSE(lives(instance));
  provider_->adopt(instance);
  EXPECT_EQ(next<NotAdopted>().name, "s1");
}

TEST_F(ProcessProviderTest, APidThatSomebodyElseHasNowIsNotAdopted) {
  open(kServes);
  Instance instance = start("s1");
  instance.labels["process-start"] = "1";
  provider_->adopt({.name = "s2", .address = instance.address, .labels = instance.labels});
  EXPECT_EQ(next<NotAdopted>().name, "s2");
  provider_->adopt({.name = "s3", .address = "", .labels = {}});
  EXPECT_EQ(next<NotAdopted>().name, "s3");
}

}  // namespace
}  // namespace fairlead::providers
