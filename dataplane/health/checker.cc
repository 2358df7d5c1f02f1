#include "health/checker.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "health/agent_line.h"
#include "health/schedule.h"

namespace fairlead::health {

using runtime::Task;
using runtime::TimePoint;

namespace {

// As far as it goes into a text for people.
std::string printable(std::string_view line) {
  constexpr size_t kMax = 256;
  std::string text(line.substr(0, kMax));
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

struct Checker::Group {
  base::Ref<const config::Backend> settings;
  base::List<Subject, GroupTag> subjects;
};

// A server that is checked. Its own timer is that of its next check.
struct Checker::Subject : runtime::Timer, base::ListNode<DueTag>, base::ListNode<GroupTag> {
  Subject(Fire fire, Checker& owner, Group& its_group, const Order& order, Role its_role)
      : Timer(fire),
        checker(owner),
        group(its_group),
        role(its_role),
        server(order.server),
        check(order.check),
        thresholds(order.in_service) {}

  bool is_due() const { return ListNode<DueTag>::is_linked(); }
  const config::HealthCheck& settings() const { return *group.settings->health_check; }
  Key key() const { return {server->metadata.uid, role}; }
  runtime::Duration interval() const {
    return role == Role::kAgent ? settings().agent_interval() : interval_of(thresholds, settings());
  }

  Checker& checker;
  Group& group;
  const Role role;
  base::Ref<const config::Server> server;
  uint64_t check;
  Thresholds thresholds;
  // It has begun with a whole interval, so that it keeps apart from others.
  bool is_spread = false;
  // Nobody wants to know any more.
  bool stopped = false;
  // What is under way is worth nothing.
  bool begins_anew = false;
  // Null while none is under way.
  Attempt* attempt = nullptr;
  // Of the reason that was told last.
  size_t told = 0;
  // What an agent has said.
  std::unique_ptr<config::AgentState> agent;
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
  const config::HealthCheck& settings = *order.backend->health_check;
  config::Uid uid = order.server->metadata.uid;
  settings.has_check() ? check(order, Role::kCheck) : stop({uid, Role::kCheck});
  settings.agent ? check(order, Role::kAgent) : stop({uid, Role::kAgent});
}

void Checker::check(const Order& order, Role role) {
  Group& group = group_of(order.backend);
  std::unique_ptr<Subject>& place = subjects_[{order.server->metadata.uid, role}];
  if (!place) {
    auto fire = [](runtime::Timer& timer) {
      auto& subject = static_cast<Subject&>(timer);
      subject.checker.make_due(subject);
    };
    place = std::make_unique<Subject>(fire, *this, group, order, role);
    group.subjects.push_back(*place);
    return make_due(*place);
  }
  Subject& subject = *place;
  subject.server = order.server;
  bool was_stopped = std::exchange(subject.stopped, false);
  if (subject.check == order.check && !was_stopped) return;
  subject.check = order.check;
  subject.begins_anew = true;
  subject.thresholds = Thresholds(order.in_service);
  subject.told = 0;
  subject.agent.reset();
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
    TimePoint next = loop_.now() + spread(subject.interval(), random_);
    loop_.timers().schedule(subject, next);
  });
}

void Checker::stop(config::Uid server) {
  stop({server, Role::kCheck});
  stop({server, Role::kAgent});
}

void Checker::stop(const Key& key) {
  auto known = subjects_.find(key);
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
  subjects_.erase(subject.key());
  if (group.subjects.empty()) groups_.erase(group.settings->metadata.uid);
}

Task<void> Checker::close() {
  closed_ = true;
  start_timer_.cancel();
  std::vector<Key> all;
  for (const auto& [key, subject] : subjects_) all.push_back(key);
  for (const Key& key : all) stop(key);
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
  runtime::Duration interval = subject.interval();
  TimePoint next = began + (is_first ? spread(interval, random_) : jittered(interval, random_));
  loop_.timers().schedule(subject, std::max(next, loop_.now()));
}

// ---- one check

Task<void> Checker::run(Subject& subject) {
  TimePoint began = loop_.now();
  Finding finding{};
  subject.begins_anew = false;
  ++under_way_;
  {
    Attempt attempt(equipment_, subject.group.settings, *subject.server, subject.role);
    subject.attempt = &attempt;
    finding = co_await attempt.run();
    subject.attempt = nullptr;
  }
  --under_way_;
  if (subject.stopped) {
    erase(subject);
  } else if (subject.begins_anew) {
    make_due(subject);
  } else {
    bool is_first = !std::exchange(subject.is_spread, true);
    if (finding.kind != Finding::Kind::kNotMade) {
      if (finding.kind == Finding::Kind::kUp && subject.role == Role::kCheck) {
        on_success_(subject.group.settings->metadata.uid, subject.server->metadata.uid, began, finding.reason);
      }
      subject.role == Role::kAgent ? take_answer(subject, std::move(finding)) : take(subject, std::move(finding));
    }
    schedule(subject, began, is_first);
  }
  start_more();
}

void Checker::take(Subject& subject, Finding finding) {
  bool success = finding.kind == Finding::Kind::kUp;
  ++subject.checks;
  subject.failures += !success;
  note(subject, subject.thresholds.observe(success, subject.settings()), std::move(finding));
}

void Checker::note(Subject& subject, bool has_changed, Finding finding) {
  bool success = finding.kind == Finding::Kind::kUp;
  bool is_up = subject.thresholds.state() == Thresholds::State::kUp;
  // Also why it is still down, where that is something else by now.
  bool is_news = has_changed || (!success && !is_up && absl::HashOf(finding.reason) != subject.told);
  if (!is_news) return;
  subject.told = absl::HashOf(finding.reason);
  tell(subject, is_up, std::move(finding.reason));
}

void Checker::observe_errors(config::Uid server, config::OnError action, const std::string& reason) {
  auto known = subjects_.find(Key{server, Role::kCheck});
  if (known == subjects_.end() || known->second->stopped) return;
  Subject& subject = *known->second;
  Finding finding{Finding::Kind::kDown, reason};
  switch (action) {
    case config::OnError::kEject:
      return;
    case config::OnError::kFastInterval:
      break;
    case config::OnError::kFailCheck:
      note(subject, subject.thresholds.observe(/*success=*/false, subject.settings()), std::move(finding));
      break;
    case config::OnError::kMarkDown:
      if (subject.thresholds.mark_down()) note(subject, /*has_changed=*/true, std::move(finding));
      break;
  }
  // Where it is not under way or due already.
  if (!subject.is_scheduled()) return;
  subject.cancel();
  make_due(subject);
}

void Checker::take_answer(Subject& subject, Finding finding) {
  bool answered = finding.kind == Finding::Kind::kUp;
  ++subject.checks;
  subject.failures += !answered;
  config::AgentState after = subject.agent ? *subject.agent : config::AgentState();
  if (!answered) {
    after.problem = std::move(finding.reason);
  } else if (std::optional<std::string> problem = take_agent_line(finding.reason, after)) {
    after.problem = "answer: " + *problem;
  } else {
    after.said = printable(finding.reason);
    after.problem.clear();
  }
  if (subject.agent && after == *subject.agent) return;
  subject.agent = std::make_unique<config::AgentState>(after);
  new_result(subject).agent = std::move(after);
}

Result& Checker::new_result(const Subject& subject) {
  const config::Backend& backend = *subject.group.settings;
  if (results_.empty()) loop_.make_ready(telling_, runtime::Wake::kReady);
  results_.push_back({.backend = {backend.slot, backend.metadata.uid},
                      .slot = subject.server->slot,
                      .server = subject.server->metadata.uid,
                      .check = subject.check,
                      .reason = {}});
  return results_.back();
}

void Checker::tell(const Subject& subject, bool is_up, std::string reason) {
  Result& result = new_result(subject);
  result.is_up = is_up;
  result.reason = std::move(reason);
}

void Checker::Telling::on_wake(Waiter& waiter, runtime::Wake) {
  Checker& checker = static_cast<Telling&>(waiter).checker;
  checker.take_results_(std::exchange(checker.results_, {}));
}

std::vector<observe::CheckStatistics> Checker::statistics() const {
  std::vector<observe::CheckStatistics> result;
  result.reserve(subjects_.size());
  for (const auto& [key, subject] : subjects_) {
    bool speaks_alone = subject->role == Role::kAgent && !subject->settings().has_check();
    if (subject->stopped || (subject->role == Role::kAgent && !speaks_alone)) continue;
    Thresholds::State state = subject->thresholds.state();
    bool is_up = state == Thresholds::State::kUp || state == Thresholds::State::kPresumed;
    if (speaks_alone) is_up = !subject->agent || !subject->agent->is_down;
    result.push_back({.backend_uid = subject->group.settings->metadata.uid,
                      .backend = subject->group.settings->name,
                      .server_uid = key.first,
                      .server = subject->server->name,
                      .is_up = is_up,
                      .checks = subject->checks,
                      .failures = subject->failures});
  }
  std::ranges::sort(result, {}, &observe::CheckStatistics::server_uid);
  return result;
}

}  // namespace fairlead::health
