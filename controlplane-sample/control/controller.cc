#include "control/controller.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::control {

Controller::Controller(ControllerOptions options, std::vector<std::string> dataplanes, absl::Time now)
    : options_(options),
      dataplanes_(dataplanes.size()),
      started_(now),
      heard_from_(dataplanes.size(), false),
      load_(options.load, dataplanes.size()),
      recommender_(options.policy),
      backoff_(options.start_backoff),
      fleet_(options.fleet, std::move(dataplanes), now) {}

void Controller::recovered(absl::Time now, const providers::Recovery& recovery) {
  last_number_ = recovery.highest_number;
  for (const providers::Instance& instance : recovery.instances) fleet_.recovered(now, instance);
  desired_ = fleet_.wanted();
}

void Controller::heard(absl::Time now, const providers::Event& event) {
  fleet_.heard(now, event);
  if (const auto* started = std::get_if<providers::Started>(&event)) backoff_.serves(now, started->instance.name);
  if (const auto* stopped = std::get_if<providers::Stopped>(&event)) backoff_.stopped(now, stopped->name);
  if (const auto* start = std::get_if<providers::StartFailed>(&event)) failed(now, start->name);
  if (const auto* exited = std::get_if<providers::Exited>(&event)) failed(now, exited->name);
  fleet_.settle(now);
}

void Controller::heard(absl::Time now, std::size_t dataplane, const session::Event& event) {
  if (std::holds_alternative<session::Connected>(event)) heard_from_[dataplane] = true;
  fleet_.heard(now, dataplane, event);
  fleet_.settle(now);
}

void Controller::heard(absl::Time now, std::size_t dataplane, const sources::LoadSample& sample) {
  scaling::ServerLoads servers;
  for (const sources::ServerLoad& server : sample.servers) servers[server.server] = server.in_flight;
  load_.add(dataplane, now, static_cast<double>(sample.in_flight), std::move(servers));
}

void Controller::tick(absl::Time now) {
  if (may_scale(now)) scale(now);
  fleet_.settle(now);
}

bool Controller::may_scale(absl::Time now) const {
  if (shutting_down_ || standing_by() || !fleet_.any_connected() || fleet_.adopting()) return false;
  const bool heard_from_all = std::ranges::find(heard_from_, false) == heard_from_.end();
  return heard_from_all || now >= started_ + options_.startup_grace;
}

void Controller::scale(absl::Time now) {
  const int servers = fleet_.wanted();
  const std::optional<double> load = load_.total(now);
  in_flight_ = load.value_or(0);
  const scaling::Recommendation recommendation =
      load.has_value() ? recommender_.recommend(now, servers, *load) : recommender_.without_load(servers);
  report_change(now, recommendation.desired);
  if (recommendation.desired > servers) scale_out(now, recommendation.desired - servers);
  if (recommendation.desired < servers) {
    const auto load_of = [this](const std::string& name) { return load_.of_server(name); };
    recommender_.changed(now, -fleet_.retire(now, servers - recommendation.desired, load_of));
  }
}

void Controller::scale_out(absl::Time now, int count) {
  // One that has not left yet is there at once; a new one takes a start.
  const int resumed = fleet_.resume(now, count);
  recommender_.changed(now, resumed);
  if (!backoff_.may_start(now)) return;
  last_number_ = std::max(last_number_, fleet_.highest_number());
  for (int i = resumed; i < count; ++i) fleet_.start(now, absl::StrCat("s", ++last_number_));
  recommender_.changed(now, count - resumed);
}

void Controller::failed(absl::Time now, const std::string& server) {
  const std::optional<absl::Duration> wait = backoff_.failed(now, server);
  if (!wait.has_value() || shutting_down_) return;
  const int failures = backoff_.failures_in_a_row();
  const std::string what = failures == 1
                               ? "a server failed to start or ended by itself"
                               : absl::StrCat("servers failed to start or soon ended ", failures, " times in a row");
  report(now, "starts_delayed", absl::StrCat(what, ": the next start is in ", absl::FormatDuration(*wait)));
}

void Controller::report_change(absl::Time now, int desired) {
  if (desired == desired_) return;
  desired_ = desired;
  report(now, "recommendation", "");
}

void Controller::report(absl::Time now, const std::string& event, std::string why) {
  commands_.push_back(Report{.time = now,
                             .event = event,
                             .server = "",
                             .address = "",
                             .dataplane = "",
                             .why = std::move(why),
                             .servers = fleet_.added()});
}

void Controller::shut_down(absl::Time now) {
  shutting_down_ = true;
  // The servers are another's by now.
  if (standing_by()) return;
  desired_ = 0;
  fleet_.abandon_all();
  fleet_.settle(now);
}

Commands Controller::take_commands() {
  Commands commands = std::exchange(commands_, {});
  std::ranges::move(fleet_.take_commands(), std::back_inserter(commands));
  for (Command& command : commands) {
    Report* report = std::get_if<Report>(&command);
    if (report == nullptr) continue;
    report->desired = desired_;
    report->in_flight = in_flight_;
  }
  return commands;
}

Standing Controller::standing() const {
  Standing standing{.servers = fleet_.added(), .wanted = fleet_.wanted(), .desired = desired_, .in_flight = in_flight_};
  for (std::size_t i = 0; i < dataplanes_; ++i) standing.dataplanes_connected += fleet_.connected(i) ? 1 : 0;
  return standing;
}

}  // namespace fairlead::control
