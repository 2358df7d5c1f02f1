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
      fleet_(options.fleet, std::move(dataplanes), now) {}

void Controller::recovered(absl::Time now, const providers::Recovery& recovery) {
  last_number_ = recovery.highest_number;
  for (const providers::Instance& instance : recovery.instances) fleet_.recovered(now, instance);
  desired_ = fleet_.wanted();
}

void Controller::heard(absl::Time now, const providers::Event& event) {
  if (std::holds_alternative<providers::Started>(event)) failures_in_a_row_ = 0;
  const bool failed =
      std::holds_alternative<providers::StartFailed>(event) || std::holds_alternative<providers::Exited>(event);
  if (failed) start_failed(now);
  fleet_.heard(now, event);
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
  if (shutting_down_ || !fleet_.any_connected() || fleet_.adopting()) return false;
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
  if (now < start_not_before_) return;
  last_number_ = std::max(last_number_, fleet_.highest_number());
  for (int i = resumed; i < count; ++i) fleet_.start(now, absl::StrCat("s", ++last_number_));
  recommender_.changed(now, count - resumed);
}

void Controller::start_failed(absl::Time now) {
  const absl::Duration wait = options_.first_failure_wait * (1 << std::min(failures_in_a_row_, 20));
  start_not_before_ = std::max(start_not_before_, now + std::min(wait, options_.longest_failure_wait));
  ++failures_in_a_row_;
}

void Controller::report_change(absl::Time now, int desired) {
  if (desired == desired_) return;
  desired_ = desired;
  commands_.push_back(Report{.time = now,
                             .event = "recommendation",
                             .server = "",
                             .address = "",
                             .dataplane = "",
                             .why = "",
                             .servers = fleet_.added()});
}

void Controller::shut_down(absl::Time now) {
  shutting_down_ = true;
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
