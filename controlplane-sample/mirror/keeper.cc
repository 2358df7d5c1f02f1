#include "mirror/keeper.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "desired/yaml.h"
#include "session/channel.h"
#include "session/dataplanes.h"
#include "session/link.h"
#include "spdlog/spdlog.h"

namespace fairlead::mirror {

namespace api = fairlead::v1;
using session::LinkUser;

namespace {

constexpr absl::Duration kAnswerTimeout = absl::Seconds(5);
// For all that a data plane has.
constexpr absl::Duration kExportTimeout = absl::Minutes(1);

// Where something changed between the export and the other call, there is no digest of what was exported.
absl::StatusOr<Observed> observe(LinkUser::Stub& stub, bool with_export) {
  Observed observed;
  std::uint64_t exported = 0;
  if (with_export) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kExportTimeout));
    const auto reader = stub.ExportConfig(&context, api::ExportConfigRequest());
    api::Resources all;
    api::ExportConfigResponse part;
    while (reader->Read(&part)) {
      all.MergeFrom(part.resources());
      exported = part.version();
    }
    const grpc::Status status = reader->Finish();
    if (!status.ok()) return absl::UnavailableError("it cannot be exported: " + session::describe(status));
    auto found = desired::Configuration::make(std::move(all));
    if (!found.ok()) return absl::InternalError(absl::StrCat("its export makes no sense: ", found.status().message()));
    observed.found = *std::move(found);
  }
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kAnswerTimeout));
  api::GetInfoResponse info;
  const grpc::Status status = stub.GetInfo(&context, api::GetInfoRequest(), &info);
  if (!status.ok()) return absl::UnavailableError("it cannot be asked: " + session::describe(status));
  observed.version = info.version();
  if (!with_export || exported == info.version()) observed.digest = info.digest();
  observed.highest_election_id = {.high = info.highest_election_id().high(), .low = info.highest_election_id().low()};
  return observed;
}

}  // namespace

struct Keeper::Line {
  std::string dataplane;
  Mirror mirror;
  // Set with an ask(), taken by the link's thread.
  std::atomic<bool> with_export = false;
  std::unique_ptr<session::Link> link;
};

absl::Status validate(const KeeperOptions& options) {
  if (absl::Status status = session::validate(options.dataplanes, options.tls); !status.ok()) return status;
  if (options.file.empty()) return absl::InvalidArgumentError("file: is missing; name the YAML file of resources");
  if (options.mirror.max_removal_percent < 1 || options.mirror.max_removal_percent > 100) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_removal_percent: ", options.mirror.max_removal_percent, " is out of range [1, 100]"));
  }
  for (const auto& [flag, value] :
       {std::pair("refresh", options.refresh), std::pair("timeout", options.once_timeout)}) {
    if (value >= absl::Milliseconds(100) && value <= absl::Hours(1)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(flag, ": ", absl::FormatDuration(value), " is out of range [100ms, 1h]"));
  }
  return absl::OkStatus();
}

Keeper::Keeper(KeeperOptions options) : options_(std::move(options)) {}

Keeper::~Keeper() = default;

absl::Status Keeper::run() {
  if (absl::Status status = begin(); !status.ok()) return status;
  connect();
  while (!stop_asked_ && !superseded() && !decided()) turn();
  // They call nobody any more before what they call goes.
  watcher_.reset();
  for (const auto& line : lines_) line->link.reset();
  return outcome();
}

absl::Status Keeper::begin() {
  if (!options_.events_file.empty()) {
    if (absl::Status status = events_.open(options_.events_file); !status.ok()) return status;
  }
  const absl::StatusOr<std::string> text = read_file(options_.file);
  if (!text.ok()) return absl::Status(text.status().code(), absl::StrCat("file: ", text.status().message()));
  const auto configuration = parse(*text);
  if (!configuration.ok()) return configuration.status();
  for (const std::string& dataplane : options_.dataplanes) {
    lines_.push_back(std::make_unique<Line>(dataplane, Mirror(options_.mirror, *configuration)));
  }
  load(*configuration);
  if (options_.once) give_up_at_ = absl::Now() + options_.once_timeout;
  return absl::OkStatus();
}

void Keeper::connect() {
  std::random_device seed;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    Line& line = *lines_[i];
    LinkUser user;
    user.read = [this, i, &line](LinkUser::Stub& stub, const api::Opened* opened) -> absl::StatusOr<LinkUser::Told> {
      if (opened != nullptr) {
        return [this, i, answer = *opened] { mailbox_.post(FromLine{i, answer}); };
      }
      absl::StatusOr<Observed> observed = observe(stub, line.with_export.exchange(false));
      if (!observed.ok()) return observed.status();
      return [this, i, seen = *std::move(observed)] { mailbox_.post(FromLine{i, seen}); };
    };
    user.hear = [this, i](const api::StreamUpdatesResponse& response) {
      if (response.has_result()) mailbox_.post(FromLine{i, response.result()});
    };
    user.lost = [this, i](const std::string& why) { mailbox_.post(FromLine{i, why}); };
    line.link = std::make_unique<session::Link>(session::LinkOptions{.dataplane = line.dataplane,
                                                                     .tls = options_.tls,
                                                                     .client_name = options_.client_name,
                                                                     .election_id = options_.mirror.election_id,
                                                                     .refresh = options_.refresh,
                                                                     .answer_timeout = kAnswerTimeout,
                                                                     .seed = seed()},
                                                std::move(user));
  }
  if (options_.once) return;
  watcher_ = std::make_unique<FileWatcher>(options_.file, [this](FileRead text) { mailbox_.post(std::move(text)); });
  if (!watcher_->status().ok()) spdlog::warn("{}; it is read every second", std::string(watcher_->status().message()));
}

void Keeper::turn() {
  for (const auto& message : mailbox_.take(wake_at())) {
    std::visit([this](const auto& known) { handle(known); }, message);
  }
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    lines_[i]->mirror.tick(absl::Now());
    for (const Command& command : lines_[i]->mirror.take_commands()) perform(i, command);
  }
  tell_standing();
}

void Keeper::handle(const FromLine& message) {
  Mirror& mirror = lines_[message.dataplane]->mirror;
  const absl::Time now = absl::Now();
  if (const auto* opened = std::get_if<api::Opened>(&message.event)) {
    mirror.opened(now, *opened);
  } else if (const auto* result = std::get_if<api::TransactionResult>(&message.event)) {
    mirror.heard(now, *result);
  } else if (const auto* observed = std::get_if<Observed>(&message.event)) {
    mirror.heard(now, *observed);
  } else if (const auto* why = std::get_if<std::string>(&message.event)) {
    mirror.lost(*why);
  }
}

void Keeper::handle(const FileRead& text) {
  const auto configuration = text.ok() ? parse(*text) : text.status();
  if (!configuration.ok()) {
    return report("", {.event = "file_refused", .why = std::string(configuration.status().message()), .digest = ""});
  }
  if ((*configuration)->digest() == want_->digest()) return;
  load(*configuration);
  for (const auto& line : lines_) line->mirror.want(absl::Now(), want_);
}

absl::StatusOr<std::shared_ptr<const desired::Configuration>> Keeper::parse(const std::string& text) const {
  return desired::parse_configuration(text, options_.file);
}

void Keeper::load(const std::shared_ptr<const desired::Configuration>& configuration) {
  want_ = configuration;
  const std::string count = absl::StrCat(want_->entries().size(), " resources");
  report("", {.event = "file_loaded", .why = count, .digest = want_->digest()});
}

void Keeper::perform(std::size_t dataplane, const Command& command) {
  Line& line = *lines_[dataplane];
  if (const auto* send = std::get_if<Send>(&command)) {
    line.link->send(send->request);
  } else if (const auto* ask = std::get_if<Ask>(&command)) {
    if (ask->with_export) line.with_export = true;
    line.link->ask();
  } else if (const auto* told = std::get_if<Told>(&command)) {
    report(line.dataplane, *told);
  }
}

void Keeper::report(std::string dataplane, Told told) {
  const Report report{absl::Now(), std::move(dataplane), std::move(told)};
  spdlog::log(is_trouble(report) ? spdlog::level::warn : spdlog::level::info, "{}", to_text(report));
  events_.write(to_json(report));
}

void Keeper::tell_standing() {
  const auto in_sync =
      std::ranges::count_if(lines_, [](const auto& line) { return line->mirror.standing() == Standing::kInSync; });
  std::string standing = absl::StrCat(in_sync, " of ", lines_.size(), " data planes in sync with ", options_.file,
                                      ", digest ", desired::short_digest(want_->digest()));
  if (standing == told_standing_) return;
  told_standing_ = std::move(standing);
  spdlog::info("{}", told_standing_);
}

bool Keeper::superseded() const {
  return options_.exit_when_superseded &&
         std::ranges::any_of(lines_, [](const auto& line) { return line->mirror.standing() == Standing::kStandby; });
}

bool Keeper::decided() const {
  if (!options_.once) return false;
  const auto is = [this](Standing standing) {
    return std::ranges::count_if(lines_, [&](const auto& line) { return line->mirror.standing() == standing; });
  };
  const bool all = is(Standing::kInSync) == static_cast<std::ptrdiff_t>(lines_.size());
  return all || is(Standing::kFailed) + is(Standing::kStandby) > 0 || absl::Now() >= give_up_at_;
}

absl::Status Keeper::outcome() const {
  if (superseded()) return absl::AbortedError(problems());
  if (!options_.once) return absl::OkStatus();
  const std::string problems_left = problems();
  return problems_left.empty() ? absl::OkStatus() : absl::FailedPreconditionError("not in sync: " + problems_left);
}

std::string Keeper::problems() const {
  std::vector<std::string> problems;
  for (const auto& line : lines_) {
    if (line->mirror.standing() == Standing::kInSync) continue;
    problems.push_back(absl::StrCat(line->dataplane, ": ", line->mirror.problem()));
  }
  return absl::StrJoin(problems, "; ");
}

absl::Time Keeper::wake_at() const {
  absl::Time next = give_up_at_;
  for (const auto& line : lines_) next = std::min(next, line->mirror.retry_at());
  return next;
}

}  // namespace fairlead::mirror
