#include "server/data_plane.h"

#include <sys/stat.h>

#include <filesystem>
#include <latch>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/version.h"
#include "observe/prometheus.h"
#include "spdlog/spdlog.h"

namespace fairlead::server {
namespace {

// In Via, so that a request that comes back to this very process is seen, and one that goes on to another is not.
std::string via_name() {
  base::Random random(static_cast<uint64_t>(absl::GetCurrentTimeNanos()) ^ static_cast<uint64_t>(getpid()) << 32);
  return absl::StrFormat("fairlead-%08x", random.next() & 0xffffffff);
}

// The default socket's folder is ours to make.
void make_folder_of(const std::string& listen) {
  if (!listen.starts_with("unix:")) return;
  std::error_code ignored;  // opening the socket says what is wrong
  std::filesystem::create_directories(std::filesystem::path(listen.substr(5)).parent_path(), ignored);
}

}  // namespace

DataPlane::DataPlane(const Settings& settings) : settings_(settings), started_(std::chrono::steady_clock::now()) {}

absl::StatusOr<std::unique_ptr<DataPlane>> DataPlane::start(const ConfigurationFile& file, bool reseed) {
  std::unique_ptr<DataPlane> self(new DataPlane(file.settings));
  const Settings& settings = self->settings_;
  if (!settings.access_log.empty()) {
    auto log =
        observe::AccessLog::open({.path = settings.access_log, .workers = static_cast<unsigned>(settings.workers)});
    if (!log.ok()) return log.status();
    self->access_log_ = *std::move(log);
  }
  self->workers_ = std::make_unique<Workers>(settings.workers, via_name(), self->access_log_.get());
  self->workers_->start();
  if (absl::Status status = self->open_store(file, reseed); !status.ok()) return status;
  if (absl::Status status = self->serve_metrics(); !status.ok()) return status;
  if (absl::Status status = self->serve_management(); !status.ok()) return status;
  spdlog::info("fairlead {} serves: {} workers, management at {}, configuration {}", base::kVersion, settings.workers,
               self->management_->bound().front(), file.path.empty() ? "empty" : file.path);
  if (settings.state_directory.empty()) {
    spdlog::info("no state directory: what is changed at run time ends with this process");
  }
  return self;
}

absl::Status DataPlane::open_store(const ConfigurationFile& file, bool reseed) {
  std::unique_ptr<journal::Journal> journal;
  if (!settings_.state_directory.empty()) {
    if (reseed) {
      // Before anything is given up for it.
      if (absl::Status valid = check_resources(file); !valid.ok()) return valid;
    }
    auto opened =
        journal::Journal::open({.directory = settings_.state_directory, .history = settings_.history, .reset = reseed});
    if (!opened.ok()) return opened.status();
    journal = *std::move(opened);
  }
  auto store = store::Store::open(*workers_, {}, std::move(journal));
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  return load_file(file);
}

// The file's resources seed an empty journal only; where there is none, they are all there is.
absl::Status DataPlane::load_file(const ConfigurationFile& file) {
  const journal::Journal* journal = store_->journal();
  if (!journal) return load_resources(file, *store_);
  const store::Store::Loaded& loaded = store_->loaded();
  const char* source = file.path.empty() ? "there is no file" : file.path.c_str();
  if (loaded.from_new_journal || store_->version() == 0) {
    spdlog::info("journal: {} is {}: resources come from the configuration file ({})", journal->path(),
                 loaded.from_new_journal ? "new, and begins empty" : "empty", source);
    return load_resources(file, *store_);
  }
  spdlog::info("journal: loaded {} resources at version {} from {} in {:.3f} s", loaded.resources, store_->version(),
               journal->path(), absl::ToDoubleSeconds(loaded.time));
  if (file.resources.ByteSizeLong() > 0) {
    spdlog::info("journal: it counts; the resources in {} were not looked at (--reseed takes them)", source);
  }
  return absl::OkStatus();
}

DataPlane::~DataPlane() { stop(); }

absl::Status DataPlane::serve_metrics() {
  if (!settings_.observation) return absl::OkStatus();
  auto metrics =
      observe::MetricsServer::start(*settings_.observation, [this](auto done) { make_metrics_page(std::move(done)); });
  if (!metrics.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("observation.listen: ", std::string(metrics.status().message())));
  }
  metrics_ = *std::move(metrics);
  return absl::OkStatus();
}

void DataPlane::make_metrics_page(std::function<void(observe::MetricsServer::Page)> done) {
  workers_->collect(/*servers=*/true, [this, done = std::move(done)](observe::Statistics statistics) {
    // A worker's thread is here: it only hands over.
    done([this, statistics = std::move(statistics)]() mutable {
      if (access_log_) statistics.log_lines_dropped += access_log_->dropped_by_writer();
      std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - started_;
      return observe::format_prometheus(std::move(statistics), {.version = base::kVersion,
                                                                .build = __VERSION__,
                                                                .uptime = uptime,
                                                                .workers = static_cast<unsigned>(workers_->size()),
                                                                .configuration_version = store_->version(),
                                                                .usage = observe::read_process_usage(),
                                                                .journal = journal_facts()});
    });
  });
}

std::optional<observe::JournalFacts> DataPlane::journal_facts() const {
  if (!store_->journal()) return std::nullopt;
  journal::Info info = store_->journal()->info();
  return observe::JournalFacts{.writable = info.condition == journal::Condition::kWriting, .bytes = info.bytes};
}

absl::Status DataPlane::serve_management() {
  for (const std::string& listen : settings_.management_listen) make_folder_of(listen);
  management::ServerOptions options{.listen = settings_.management_listen,
                                    .insecure = settings_.management_insecure,
                                    .build = base::kVersion,
                                    .workers = static_cast<uint32_t>(workers_->size())};
  auto management = management::ManagementServer::start(options, *store_, *workers_);
  if (!management.ok()) return management.status();
  management_ = *std::move(management);
  return absl::OkStatus();
}

BoundAddresses DataPlane::bound_addresses() {
  BoundAddresses addresses;
  std::latch read(1);
  auto posted = store_->read([&](store::Reader& reader) {
    for (const store::ListenerView& listener : reader.everything().listeners) {
      for (auto& bound : listener.record->bound)
        addresses.listeners[listener.record->name].push_back(bound.to_string());
    }
    read.count_down();
  });
  if (posted == store::Store::Posted::kYes) read.wait();
  addresses.management = management_->bound();
  if (metrics_) addresses.observation = metrics_->bound().to_string();
  return addresses;
}

void DataPlane::reopen_logs() {
  if (access_log_) access_log_->reopen();
}

void DataPlane::stop() {
  if (management_) management_->stop();
  if (store_) store_->stop();
  if (workers_) workers_->stop(settings_.shutdown_timeout);
  metrics_.reset();
  management_.reset();
  store_.reset();
  workers_.reset();
  access_log_.reset();
}

}  // namespace fairlead::server
