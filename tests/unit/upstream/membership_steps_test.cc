// Servers are added, deleted, drained, made ready, found down and up again, while two threads pick among them: for each
// algorithm, in a pool so small that every step matters. FAIRLEAD_TEST_STEPS says how many (a million under a sanitizer
// takes minutes), FAIRLEAD_TEST_SEED which.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "runtime/epoll_driver.h"
#include "runtime/loop.h"
#include "store/model.h"
#include "upstream/upstreams.h"

namespace fairlead::upstream {
namespace {

using config::Algorithm;
using config::HashType;

constexpr uint32_t kServersMax = 6;
constexpr uint32_t kLimit = 3;

// `hash` and `balance_factor` are for Algorithm::kHash.
struct Way {
  Algorithm algorithm = Algorithm::kRoundRobin;
  HashType hash = HashType::kConsistent;
  uint32_t balance_factor = 0;
};

struct Leaver {
  config::Slot slot = 0;
  config::Uid uid = 0;
};

// One thread that picks, as a worker does.
class Picker {
 public:
  Picker(uint64_t seed, Shared& shared, config::BackendHandle handle)
      : random_(seed), upstreams_(loop_, random_, shared), handle_(handle) {}

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void publish(const config::Snapshot* snapshot) { published_.store(snapshot, std::memory_order_release); }
  config::Revision adopted() const { return adopted_.load(std::memory_order_acquire); }
  // After a snapshot without it was published.
  void forget(Leaver leaver) {
    std::lock_guard lock(mutex_);
    leavers_.push_back(leaver);
  }
  // Of those, that it has nothing of any more.
  uint64_t forgotten() const { return forgotten_.load(std::memory_order_acquire); }
  uint64_t picks() const { return picks_; }
  void stop() {
    stopping_ = true;
    thread_.join();
  }

 private:
  void run() {
    while (!stopping_) {
      const config::Snapshot* now = published_.load(std::memory_order_acquire);
      if (now != snapshot_) {
        // Nothing of the last one is looked at from here on.
        snapshot_ = now;
        upstreams_.adopt(now);
        adopted_.store(now->revision, std::memory_order_release);
      }
      pick();
      forget_leavers();
    }
    forget_leavers();
  }
  void pick() {
    Upstreams::Found found = upstreams_.find(handle_);
    ASSERT_TRUE(found);
    std::vector<Place> held;
    std::vector<config::Uid> tried;
    for (int i = 0; i < 3; ++i) {
      Admission admission = found.backend->admit(*found.members, tried, random_.next());
      if (!admission) break;
      const config::Server& record = admission.server().record();
      ASSERT_TRUE(is_in(*found.members, record)) << record.name;
      ASSERT_TRUE(record.takes_requests());
      ++picks_;
      if (i == 1) tried.push_back(record.metadata.uid);
      held.push_back(admission.take_place());
      bool is_limited = found.members->settings->default_max_connections.has_value();
      if (is_limited) ASSERT_LE(admission.server().load().in_flight(), kLimit);
    }
  }
  static bool is_in(const config::BackendSnapshot& backend, const config::Server& record) {
    auto is_there = [&](const config::EligibleServers& eligible) {
      const auto* found = eligible.find(record.slot);
      return found && (*found)->metadata.uid == record.metadata.uid;
    };
    return is_there(backend.eligible) ||
           std::ranges::any_of(backend.further, [&](const config::Tier& tier) { return is_there(tier.eligible); });
  }
  void forget_leavers() {
    std::vector<Leaver> leavers;
    {
      std::lock_guard lock(mutex_);
      leavers.swap(leavers_);
    }
    for (const Leaver& leaver : leavers) {
      upstreams_.drain(handle_, leaver.slot, leaver.uid,
                       DrainRequest{.timeout = std::nullopt, .leaves = true, .done = [this](uint64_t) {
                                      forgotten_.fetch_add(1, std::memory_order_release);
                                    }});
    }
  }

  runtime::EpollDriver driver_;
  runtime::Loop loop_{driver_};
  base::Random random_;
  Upstreams upstreams_;
  const config::BackendHandle handle_;
  const config::Snapshot* snapshot_ = nullptr;
  std::atomic<const config::Snapshot*> published_ = nullptr;
  std::atomic<config::Revision> adopted_ = 0;
  std::atomic<uint64_t> forgotten_ = 0;
  std::atomic<bool> stopping_ = false;
  uint64_t picks_ = 0;
  std::mutex mutex_;
  std::vector<Leaver> leavers_;  // guarded by mutex_
  std::thread thread_;
};

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

class MembershipSteps : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    auto settings = base::make_ref<config::Backend>();
    settings->name = "web";
    settings->metadata.uid = model_.next_uid();
    settings->algorithm = GetParam().algorithm;
    settings->hash.key = *config::parse_hash_key("{path}");
    settings->hash.type = GetParam().hash;
    settings->hash.balance_factor = GetParam().balance_factor;
    settings->hash.table_size = 251;
    settings->health_check.emplace().initial_state = config::InitialState::kUp;
    if (below(2) == 0) settings->default_max_connections = kLimit;
    model_.restore_backend(settings);
    for (uint64_t number = 0; number < 2; ++number) {
      pickers_.push_back(std::make_unique<Picker>(seed_ + number, shared_, state().handle()));
    }
    publish();
    for (auto& picker : pickers_) picker->start();
  }
  store::BackendState& state() { return *model_.find_backend("web"); }
  uint64_t below(uint64_t bound) { return random_() % bound; }

  void publish() {
    model_.commit();
    former_.push_back(model_.make_snapshot());
    for (auto& picker : pickers_) picker->publish(former_.back().get());
    while (former_.front()->revision < adopted_by_all()) former_.pop_front();
    // Deleted servers give their slots back when nobody has anything of them.
    uint64_t forgotten = std::min(pickers_[0]->forgotten(), pickers_[1]->forgotten());
    for (; released_ < forgotten; ++released_, departing_.pop_front()) model_.release_departed(departing_.front());
  }
  config::Revision adopted_by_all() const { return std::min(pickers_[0]->adopted(), pickers_[1]->adopted()); }

  base::Ref<const config::Server> any() {
    std::vector<base::Ref<const config::Server>> all;
    state().members.for_each([&](config::Slot, const auto& server) { all.push_back(server); });
    return all.empty() ? nullptr : all[below(all.size())];
  }
  void add() {
    if (state().members.size() == kServersMax) return;
    auto server = base::make_ref<config::Server>();
    server->name = "s" + std::to_string(below(2 * kServersMax));
    if (state().find(server->name)) return;
    server->metadata.uid = model_.next_uid();
    server->address = config::Endpoint(config::Ip4Endpoint{0x0a000001, static_cast<uint16_t>(1 + below(3))});
    if (below(2) == 0) server->weight = static_cast<uint16_t>(below(4));
    if (below(4) == 0) server->backup = true;
    model_.add_server(state(), std::move(server));
    publish();
  }
  void remove() {
    base::Ref<const config::Server> server = any();
    if (!server) return;
    store::DepartingServer departing;
    departing.record = server;
    departing.backend = &state();
    departing.backend_name = "web";
    departing.handle = state().handle();
    Leaver leaver{server->slot, server->metadata.uid};
    model_.remove_server(state(), std::move(server), std::move(departing));
    departing_.push_back(leaver.uid);
    publish();
    for (auto& picker : pickers_) picker->forget(leaver);
  }
  void change() {
    base::Ref<const config::Server> before = any();
    if (!before) return;
    auto after = base::make_ref<config::Server>(*before);
    constexpr std::array kStates = {config::AdminState::kReady, config::AdminState::kDrain,
                                    config::AdminState::kMaintenance};
    if (below(3) > 0) {
      after->admin_state = kStates[below(3)];
    } else {
      after->weight = static_cast<uint16_t>(below(4));
    }
    model_.replace_server(state(), before, base::Ref<const config::Server>(after));
    publish();
  }
  void find_health() {
    base::Ref<const config::Server> server = any();
    base::Ref<const store::Health> before = server ? state().health_of(server->slot) : nullptr;
    if (!before) return;
    auto after = base::make_ref<store::Health>(*before);
    after->state = below(2) == 0 ? store::Health::State::kUp : store::Health::State::kDown;
    after->reason = "drawn";
    model_.note_health(state(), server->slot, base::Ref<const store::Health>(after));
    publish();
  }

  const uint64_t seed_ = number_from("FAIRLEAD_TEST_SEED", std::random_device()());
  std::mt19937_64 random_{seed_};
  Shared shared_;
  store::Model model_;
  std::vector<std::unique_ptr<Picker>> pickers_;
  std::deque<base::Ref<const config::Snapshot>> former_;
  std::deque<config::Uid> departing_;
  uint64_t released_ = 0;
};

INSTANTIATE_TEST_SUITE_P(
    Algorithms, MembershipSteps,
    testing::Values(Way{Algorithm::kRoundRobin}, Way{Algorithm::kRandom}, Way{Algorithm::kStaticRoundRobin},
                    Way{Algorithm::kFirst}, Way{Algorithm::kSticky}, Way{Algorithm::kLeastConnections},
                    Way{Algorithm::kPeakEwma}, Way{Algorithm::kPrequal}, Way{Algorithm::kHash},
                    Way{Algorithm::kHash, HashType::kConsistent, 125}, Way{Algorithm::kHash, HashType::kRing},
                    Way{Algorithm::kHash, HashType::kRing, 125}, Way{Algorithm::kHash, HashType::kMaglev},
                    Way{Algorithm::kHash, HashType::kMaglev, 125}, Way{Algorithm::kHash, HashType::kModulo},
                    Way{Algorithm::kHash, HashType::kModulo, 125}),
    [](const auto& test) {
      std::string name = "Algorithm" + std::to_string(static_cast<int>(test.param.algorithm));
      if (test.param.algorithm != Algorithm::kHash) return name;
      name += "Type" + std::to_string(static_cast<int>(test.param.hash));
      return test.param.balance_factor == 0 ? name : name + "Bounded";
    });

TEST_P(MembershipSteps, EachPickIsOfASnapshotThatHolds) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const uint64_t steps = number_from("FAIRLEAD_TEST_STEPS", 10'000);
  for (uint64_t step = 0; step < steps && !HasFailure(); ++step) {
    switch (below(5)) {
      case 0:
        add();
        break;
      case 1:
        if (below(2) == 0) remove();
        break;
      case 2:
        find_health();
        break;
      default:
        change();
    }
  }
  while (any()) remove();
  while (released_ + departing_.size() > std::min(pickers_[0]->forgotten(), pickers_[1]->forgotten())) {
    std::this_thread::yield();
  }
  publish();
  EXPECT_TRUE(departing_.empty()) << "all slots are free";
  for (auto& picker : pickers_) picker->stop();
  EXPECT_GT(pickers_[0]->picks() + pickers_[1]->picks(), 0u);
  pickers_.clear();
  EXPECT_EQ(shared_.loads(), 0u);
}

}  // namespace
}  // namespace fairlead::upstream
