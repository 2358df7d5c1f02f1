#include "health/checker.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "health/schedule.h"

namespace fairlead::health {

using runtime::Task;
using runtime::TimePoint;

struct Checker::Group {
  base::Ref<const config::Backend> settings;
  base::List<Subject, GroupTag> subjects;
};

// A server that is checked. Its own timer is that of its next check.
struct Checker::Subject : runtime::Timer, base::ListNode<DueTag>, base::ListNode<GroupTag> {
  Subject(Fire fire, Checker& owner, Group& its_group, const Order& order)
      : Timer(fire),
        checker(owner),
        group(its_group),
        server(order.server),
        check(order.check),
        thresholds(order.in_service) {}

  bool is_due() const { return ListNode<DueTag>::is_linked(); }
  const config::HealthCheck& settings() const { return *group.settings->health_check; }

  Checker& checker;
  Group& group;
  base::Ref<const config::Server> server;
  uint64_t check;
  Thresholds thresholds;
  // It has begun with a whole interval, so that it keeps apart from others.
  bool is_spread = false;
  // Nobody wants to know any more.
  bool stopped = false;
  // Null while none is under way.
  Attempt* attempt = nullptr;
  // Of the reason that was told last.
  size_t told = 0;
  uint64_t checks = 0;
  uint64_t failures = 0;
};

Checker::Checker(runtime::Loop& loop, const CheckerOptions& options, TakeResults take_results)
    : loop_(loop),
      options_(options),
      take_results_(std::move(take_results)),
      random_(options.seed),
      equipment_(loop),
      start_timer_([](runtime::Timer& timer) { static_cast<StartTimer&>(timer).checker.start_due(); }, *this),
      scope_(loop) {}

Checker::~Checker() {
  FAIRLEAD_CHECK(subjects_.empty());
  telling_.unlink();
}

// ---- what is to be checked

Checker::Group& Checker::group_of(const base::Ref<const config::Backend>& backend) {
  std::unique_ptr<Group>& group = groups_[backend->metadata.uid];
  if (!group) {
    group = std::make_unique<Group>();
    group->settings = backend;
  }
  return *group;
}

void Checker::check(const Order& order) {
  if (closed_) return;
  Group& group = group_of(order.backend);
  std::unique_ptr<Subject>& place = subjects_[order.server->metadata.uid];
  if (!place) {
    auto fire = [](runtime::Timer& timer) {
      auto& subject = static_cast<Subject&>(timer);
      subject.checker.make_due(subject);
    };
    place = std::make_unique<Subject>(fire, *this, group, order);
    group.subjects.push_back(*place);
    return make_due(*place);
  }
  Subject& subject = *place;
  subject.server = order.server;
  subject.stopped = false;
  if (subject.check == order.check) return;
  subject.check = order.check;
  subject.thresholds = Thresholds(order.in_service);
  subject.told = 0;
  // What is under way is of the former check; the new one follows its end.
  if (subject.attempt) return subject.attempt->cancel();
  subject.cancel();
  if (!subject.is_due()) make_due(subject);
}

void Checker::change(const base::Ref<const config::Backend>& backend) {
  auto known = groups_.find(backend->metadata.uid);
  if (known == groups_.end()) return;
  Group& group = *known->second;
  group.settings = backend;
  group.subjects.for_each([this](Subject& subject) {
    if (!subject.is_scheduled()) return;
    TimePoint next = loop_.now() + spread(interval_of(subject.thresholds, subject.settings()), random_);
    loop_.timers().schedule(subject, next);
  });
}

void Checker::stop(config::Uid server) {
  auto known = subjects_.find(server);
  if (known == subjects_.end()) return;
  Subject& subject = *known->second;
  if (!subject.attempt) return erase(subject);
  subject.stopped = true;
  subject.attempt->cancel();
}

void Checker::erase(Subject& subject) {
  Group& group = subject.group;
  subject.cancel();
  subject.base::ListNode<DueTag>::unlink();
  subject.base::ListNode<GroupTag>::unlink();
  subjects_.erase(subject.server->metadata.uid);
  if (group.subjects.empty()) groups_.erase(group.settings->metadata.uid);
}

Task<void> Checker::close() {
  closed_ = true;
  start_timer_.cancel();
  std::vector<config::Uid> all;
  for (const auto& [uid, subject] : subjects_) all.push_back(uid);
  for (config::Uid uid : all) stop(uid);
  co_await scope_.join();
}

// ---- when

void Checker::make_due(Subject& subject) {
  due_.push_back(subject);
  start_more();
}

// Never from here: a check that was cancelled in this turn is over in the next.
void Checker::start_more() {
  if (closed_ || due_.empty() || under_way_ >= options_.under_way_max || start_timer_.is_scheduled()) return;
  loop_.timers().schedule(start_timer_, loop_.now());
}

void Checker::start_due() {
  for (size_t started = 0; started < options_.starts_per_turn; ++started) {
    if (under_way_ >= options_.under_way_max) return;
    Subject* subject = due_.pop_front();
    if (!subject) return;
    scope_.spawn(run(*subject));
  }
  start_more();
}

void Checker::schedule(Subject& subject, TimePoint began, bool is_first) {
  runtime::Duration interval = interval_of(subject.thresholds, subject.settings());
  TimePoint next = began + (is_first ? spread(interval, random_) : jittered(interval, random_));
  loop_.timers().schedule(subject, std::max(next, loop_.now()));
}

// ---- one check

Task<void> Checker::run(Subject& subject) {
  uint64_t check = subject.check;
  TimePoint began = loop_.now();
  Finding finding{};
  ++under_way_;
  {
    Attempt attempt(equipment_, subject.group.settings, *subject.server);
    subject.attempt = &attempt;
    finding = co_await attempt.run();
    subject.attempt = nullptr;
  }
  --under_way_;
  if (subject.stopped) {
    erase(subject);
  } else if (subject.check != check) {
    make_due(subject);
  } else {
    take(subject, std::move(finding), began);
  }
  start_more();
}

void Checker::take(Subject& subject, Finding finding, TimePoint began) {
  bool is_first = !std::exchange(subject.is_spread, true);
  if (finding.kind == Finding::Kind::kNotMade) return schedule(subject, began, is_first);
  bool success = finding.kind == Finding::Kind::kUp;
  ++subject.checks;
  subject.failures += !success;
  bool has_changed = subject.thresholds.observe(success, subject.settings());
  bool is_up = subject.thresholds.state() == Thresholds::State::kUp;
  // Also why it is still down, where that is something else by now.
  bool is_news = has_changed || (!success && !is_up && absl::HashOf(finding.reason) != subject.told);
  if (is_news) {
    subject.told = absl::HashOf(finding.reason);
    tell(subject, is_up, std::move(finding.reason));
  }
  schedule(subject, began, is_first);
}

void Checker::tell(const Subject& subject, bool is_up, std::string reason) {
  const config::Backend& backend = *subject.group.settings;
  if (results_.empty()) loop_.make_ready(telling_, runtime::Wake::kReady);
  results_.push_back({.backend = {backend.slot, backend.metadata.uid},
                      .slot = subject.server->slot,
                      .server = subject.server->metadata.uid,
                      .check = subject.check,
                      .is_up = is_up,
                      .reason = std::move(reason)});
}

void Checker::Telling::on_wake(Waiter& waiter, runtime::Wake) {
  Checker& checker = static_cast<Telling&>(waiter).checker;
  checker.take_results_(std::exchange(checker.results_, {}));
}

std::vector<observe::CheckStatistics> Checker::statistics() const {
  std::vector<observe::CheckStatistics> result;
  result.reserve(subjects_.size());
  for (const auto& [uid, subject] : subjects_) {
    if (subject->stopped) continue;
    Thresholds::State state = subject->thresholds.state();
    result.push_back({.backend_uid = subject->group.settings->metadata.uid,
                      .backend = subject->group.settings->name,
                      .server_uid = uid,
                      .server = subject->server->name,
                      .is_up = state == Thresholds::State::kUp || state == Thresholds::State::kPresumed,
                      .checks = subject->checks,
                      .failures = subject->failures});
  }
  std::ranges::sort(result, {}, &observe::CheckStatistics::server_uid);
  return result;
}

}  // namespace fairlead::health
