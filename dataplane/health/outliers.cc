#include "health/outliers.h"

#include <algorithm>
#include <utility>

#include "config/text.h"

namespace fairlead::health {

using config::concat;
using runtime::Duration;
using runtime::TimePoint;

namespace {

// No ejection is longer than after so many; it keeps products small.
constexpr uint32_t kNumberMax = 10'000;

}  // namespace

// A server that is ejected, or was and is not forgiven all of that. Its own timer is the end of either.
struct Outliers::Subject : runtime::Timer {
  Subject(Fire fire, Outliers& owner, Group& its_group, config::Slot its_slot, config::Uid its_uid)
      : Timer(fire), outliers(owner), group(its_group), slot(its_slot), uid(its_uid) {}

  // How many ejections count at `now`: one less for each time that it has served since.
  uint32_t number_at(TimePoint now, Duration forgiving) const {
    if (is_ejected) return number;
    auto forgiven = static_cast<uint64_t>((now - changed) / forgiving);
    return forgiven >= number ? 0 : number - static_cast<uint32_t>(forgiven);
  }

  Outliers& outliers;
  Group& group;
  const config::Slot slot;
  const config::Uid uid;
  bool is_ejected = false;
  uint32_t number = 0;
  // When it was ejected, or has returned.
  TimePoint changed;
};

// A backend. Its own timer is the end of the interval.
struct Outliers::Group : runtime::Timer {
  Group(Fire fire, Outliers& owner) : Timer(fire), outliers(owner) {}

  const config::OutlierDetection& settings() const { return *backend->outlier_detection; }
  bool looks_at_intervals() const { return settings().success_rate || settings().failure_percentage; }

  Outliers& outliers;
  base::Ref<const config::Backend> backend;
  uint64_t servers = 0;
  // By server.
  absl::flat_hash_map<config::Uid, std::unique_ptr<Subject>> subjects;
  uint64_t ejected = 0;
  uint64_t ejections = 0;
  uint64_t refused = 0;
};

Outliers::Outliers(runtime::Loop& loop, Outside outside) : loop_(loop), outside_(std::move(outside)) {}

Outliers::~Outliers() = default;

config::BackendHandle Outliers::handle_of(const Group& group) {
  return {group.backend->slot, group.backend->metadata.uid};
}

// ---- what is observed

void Outliers::observe(const base::Ref<const config::Backend>& backend, uint64_t servers) {
  std::unique_ptr<Group>& place = groups_[backend->metadata.uid];
  if (!place) {
    auto fire = [](runtime::Timer& timer) {
      auto& group = static_cast<Group&>(timer);
      group.outliers.look(group);
    };
    place = std::make_unique<Group>(fire, *this);
  }
  Group& group = *place;
  bool is_other = !group.backend || group.backend->outlier_detection != backend->outlier_detection;
  group.backend = backend;
  group.servers = servers;
  give_back_surplus(group);
  if (!is_other) return;
  group.cancel();
  if (group.looks_at_intervals()) {
    loop_.timers().schedule(group, loop_.now() + group.settings().effective_interval());
  }
}

void Outliers::stop(config::Uid backend) { groups_.erase(backend); }

void Outliers::forget(config::Uid backend, config::Uid server) {
  auto group = groups_.find(backend);
  if (group == groups_.end()) return;
  auto subject = group->second->subjects.find(server);
  if (subject == group->second->subjects.end()) return;
  group->second->ejected -= subject->second->is_ejected;
  group->second->subjects.erase(subject);
}

// ---- what is found

void Outliers::take(const ErrorReport& report) {
  auto known = groups_.find(report.backend.uid);
  if (known == groups_.end()) return;
  Group& group = *known->second;
  config::OnError action = report.gateway ? config::OnError::kEject : group.settings().effective_on_error();
  std::string reason = concat(report.errors, report.gateway ? " gateway errors in a row" : " errors in a row");
  if (action == config::OnError::kEject) return eject(group, report.slot, report.server, reason);
  outside_.act(report.server, action, concat("observed: ", reason));
}

void Outliers::look(Group& group) {
  loop_.timers().schedule(group, loop_.now() + group.settings().effective_interval());
  outside_.gather(handle_of(group));
}

void Outliers::take(config::BackendHandle backend, const std::vector<Outcomes>& counts) {
  auto known = groups_.find(backend.uid);
  if (known == groups_.end()) return;
  Group& group = *known->second;
  std::vector<Outcomes> serving;
  std::ranges::copy_if(counts, std::back_inserter(serving), [&](const Outcomes& server) {
    auto subject = group.subjects.find(server.server);
    return subject == group.subjects.end() || !subject->second->is_ejected;
  });
  for (const Outlier& outlier : find_outliers(serving, group.settings())) {
    eject(group, outlier.slot, outlier.server, outlier.reason);
  }
}

void Outliers::check_succeeded(config::Uid backend, config::Uid server, TimePoint began, const std::string& reason) {
  auto known = groups_.find(backend);
  if (known == groups_.end() || known->second->ejected == 0) return;
  Group& group = *known->second;
  auto subject = group.subjects.find(server);
  bool ends = subject != group.subjects.end() && subject->second->is_ejected && began > subject->second->changed &&
              group.settings().effective_return_by_check();
  if (ends) give_back(group, *subject->second, concat("check: ", reason));
}

// ---- ejections

void Outliers::eject(Group& group, config::Slot slot, config::Uid server, const std::string& reason) {
  auto known = group.subjects.find(server);
  if (known != group.subjects.end() && known->second->is_ejected) return;
  const config::OutlierDetection& settings = group.settings();
  if (group.ejected + 1 > settings.ejected_max(group.servers)) {
    ++group.refused;
    return;
  }
  if (known == group.subjects.end()) {
    auto fire = [](runtime::Timer& timer) {
      auto& subject = static_cast<Subject&>(timer);
      subject.outliers.on_time(subject);
    };
    known = group.subjects.emplace(server, std::make_unique<Subject>(fire, *this, group, slot, server)).first;
  }
  Subject& subject = *known->second;
  const TimePoint now = loop_.now();
  subject.number = std::min(subject.number_at(now, settings.effective_base_ejection_time()) + 1, kNumberMax);
  subject.is_ejected = true;
  subject.changed = now;
  ++group.ejected;
  ++group.ejections;
  const Duration longest = settings.effective_max_ejection_time();
  const bool is_longest = longest / settings.effective_base_ejection_time() < subject.number;
  const Duration time = is_longest ? longest : settings.effective_base_ejection_time() * subject.number;
  loop_.timers().schedule(subject, now + time);
  tell(group, subject, {.is_ejected = true, .number = subject.number, .time = time}, reason);
}

void Outliers::on_time(Subject& subject) {
  Group& group = subject.group;
  if (subject.is_ejected) return give_back(group, subject, "its time is over");
  group.subjects.erase(subject.uid);
}

void Outliers::give_back(Group& group, Subject& subject, const std::string& reason) {
  subject.is_ejected = false;
  subject.changed = loop_.now();
  --group.ejected;
  tell(group, subject, {.is_ejected = false, .number = subject.number, .time = {}}, reason);
  // Then it is as if nothing had been.
  Duration forgiving = group.settings().effective_base_ejection_time();
  loop_.timers().schedule(subject, loop_.now() + forgiving * subject.number);
}

// The first to be ejected are the first to return.
void Outliers::give_back_surplus(Group& group) {
  const uint64_t allowed = group.settings().ejected_max(group.servers);
  if (group.ejected <= allowed) return;
  std::vector<Subject*> all;
  for (auto& [uid, subject] : group.subjects) {
    if (subject->is_ejected) all.push_back(subject.get());
  }
  std::ranges::sort(all, {}, [](const Subject* subject) { return std::pair(subject->changed, subject->uid); });
  all.resize(group.ejected - allowed);
  for (Subject* subject : all) give_back(group, *subject, "fewer may be ejected");
}

void Outliers::tell(const Group& group, const Subject& subject, const config::EjectionChange& change,
                    std::string reason) {
  std::vector<Result> results;
  results.push_back({.backend = handle_of(group),
                     .slot = subject.slot,
                     .server = subject.uid,
                     .reason = std::move(reason),
                     .ejection = change});
  outside_.tell(std::move(results));
}

std::vector<observe::EjectionStatistics> Outliers::statistics() const {
  std::vector<observe::EjectionStatistics> result;
  for (const auto& [uid, group] : groups_) {
    result.push_back({.backend_uid = uid,
                      .backend = group->backend->name,
                      .ejected = group->ejected,
                      .ejections = group->ejections,
                      .refused = group->refused});
  }
  std::ranges::sort(result, {}, &observe::EjectionStatistics::backend_uid);
  return result;
}

}  // namespace fairlead::health
