#include "control/autoscaler.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "control/metrics_file.h"
#include "providers/command_line.h"
#include "providers/process_provider.h"
#include "providers/state_directory.h"
#include "session/dataplanes.h"
#include "spdlog/spdlog.h"

namespace fairlead::control {
namespace {

absl::Status out_of_range(absl::string_view flag, absl::Duration value, absl::Duration least, absl::Duration most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", absl::FormatDuration(value), " is out of range [",
                                                 absl::FormatDuration(least), ", ", absl::FormatDuration(most), "]"));
}

absl::Status validate_durations(const AutoscalerOptions& options) {
  const absl::Duration day = absl::Hours(24);
  const ControllerOptions& controller = options.controller;
  absl::Status status;
  status.Update(out_of_range("interval", options.interval, absl::Milliseconds(10), absl::Hours(1)));
  status.Update(out_of_range("refresh", options.refresh, absl::Milliseconds(100), absl::Hours(1)));
  status.Update(out_of_range("load_window", controller.load.window, options.interval, day));
  status.Update(out_of_range("load_memory", controller.load.memory, controller.load.window, day));
  status.Update(out_of_range("drain_timeout", controller.fleet.drain_timeout, absl::ZeroDuration(), day));
  status.Update(out_of_range("lost_grace", controller.fleet.lost_grace, absl::ZeroDuration(), day));
  status.Update(out_of_range("start_timeout", options.launch.start_timeout, absl::Milliseconds(1), day));
  status.Update(out_of_range("stop_timeout", options.launch.stop_timeout, absl::ZeroDuration(), day));
  return status;
}

}  // namespace

absl::Status validate(const AutoscalerOptions& options) {
  if (absl::Status status = session::validate(options.dataplanes, options.tls); !status.ok()) return status;
  if (options.backend.empty()) return absl::InvalidArgumentError("backend: is missing; name the one to scale");
  if (options.state_directory.empty()) {
    return absl::InvalidArgumentError(
        "state_directory: is missing; name a directory of this autoscaler's own, where it remembers its processes");
  }
  const std::string& path = options.launch.health_path;
  if (!path.empty() && !absl::StartsWith(path, "/")) {
    return absl::InvalidArgumentError(absl::StrCat("health_path: \"", path, "\" must begin with / or be empty"));
  }
  const auto words = providers::expand_command(options.launch.command, {{"name", ""}, {"ready_file", ""}});
  if (!words.ok()) return absl::InvalidArgumentError(absl::StrCat("origin_command: ", words.status().message()));
  if (absl::Status status = scaling::validate(options.controller.policy); !status.ok()) return status;
  return validate_durations(options);
}

Autoscaler::Autoscaler(AutoscalerOptions options)
    : options_(std::move(options)),
      events_(options_.backend),
      controller_(options_.controller, options_.dataplanes, now()) {}

Autoscaler::~Autoscaler() = default;

absl::Status Autoscaler::run() {
  if (absl::Status status = begin(); !status.ok()) return status;
  connect();
  while (!over() && !superseded()) turn();
  // They call nobody any more before what they call goes.
  sources_.clear();
  sessions_.clear();
  provider_.reset();
  return superseded() ? absl::AbortedError("a newer control plane is primary") : absl::OkStatus();
}

absl::Status Autoscaler::begin() {
  if (!options_.events_file.empty()) {
    if (absl::Status status = events_.open(options_.events_file); !status.ok()) return status;
  }
  absl::StatusOr<providers::StateDirectory> state = providers::StateDirectory::open(options_.state_directory);
  if (!state.ok()) return state.status();
  provider_ = std::make_unique<providers::ProcessProvider>(
      options_.launch, *std::move(state), [this](providers::Event event) { mailbox_.post(std::move(event)); });
  controller_.recovered(now(), provider_->recover());
  return absl::OkStatus();
}

void Autoscaler::connect() {
  std::random_device seed;
  for (std::size_t i = 0; i < options_.dataplanes.size(); ++i) {
    session::SessionOptions session{.dataplane = options_.dataplanes[i],
                                    .tls = options_.tls,
                                    .election_id = options_.election_id,
                                    .backend = options_.backend,
                                    .refresh = options_.refresh,
                                    .seed = seed()};
    sessions_.push_back(std::make_unique<session::Session>(
        std::move(session), [this, i](session::Event event) { mailbox_.post(FromSession{i, std::move(event)}); }));
    sources::StatisticsOptions statistics{.dataplane = options_.dataplanes[i],
                                          .tls = options_.tls,
                                          .backend = options_.backend,
                                          .interval = options_.interval,
                                          .seed = seed()};
    sources_.push_back(std::make_unique<sources::StatisticsSource>(
        std::move(statistics),
        [this, i](sources::LoadSample sample) { mailbox_.post(FromSource{i, std::move(sample)}); }));
  }
}

void Autoscaler::turn() {
  for (const Message& message : mailbox_.take(next_tick_)) handle(message);
  if (now() >= next_tick_) tick();
  for (const Command& command : controller_.take_commands()) perform(command);
}

void Autoscaler::handle(const Message& message) {
  if (const auto* provided = std::get_if<providers::Event>(&message)) {
    controller_.heard(now(), *provided);
  } else if (const auto* told = std::get_if<FromSession>(&message)) {
    controller_.heard(now(), told->dataplane, told->event);
    // The statistics of a data plane that is gone may hang for long.
    if (std::holds_alternative<session::Lost>(told->event)) sources_[told->dataplane]->restart();
  } else if (const auto* measured = std::get_if<FromSource>(&message)) {
    controller_.heard(now(), measured->dataplane, measured->sample);
  } else if (!stop_asked_) {
    stop_asked_ = true;
    give_up_at_ = now() + options_.launch.stop_timeout + absl::Seconds(10);
    if (options_.stop_servers_on_exit) controller_.shut_down(now());
  }
}

void Autoscaler::tick() {
  controller_.tick(now());
  next_tick_ = std::max(next_tick_ + options_.interval, now());
  if (options_.metrics_file.empty() || now() < next_metrics_) return;
  next_metrics_ = now() + absl::Seconds(1);
  const absl::Status status = write_metrics(options_.metrics_file, controller_.standing(), options_.backend);
  if (!status.ok()) spdlog::warn("{}", std::string(status.message()));
}

void Autoscaler::perform(const Command& command) {
  if (const auto* start = std::get_if<StartServer>(&command)) {
    provider_->start(start->name);
  } else if (const auto* adopt = std::get_if<AdoptServer>(&command)) {
    provider_->adopt(adopt->instance);
  } else if (const auto* stop = std::get_if<StopServer>(&command)) {
    provider_->stop(stop->name);
  } else if (const auto* change = std::get_if<SubmitChange>(&command)) {
    sessions_[change->dataplane]->submit(change->change);
  } else if (const auto* report = std::get_if<Report>(&command)) {
    events_.write(*report);
  }
}

bool Autoscaler::over() const {
  if (!stop_asked_) return false;
  return !options_.stop_servers_on_exit || controller_.finished() || now_ >= give_up_at_;
}

absl::Time Autoscaler::now() {
  // A clock that is set back stands still here.
  now_ = std::max(now_, absl::Now());
  return now_;
}

}  // namespace fairlead::control
