#include "server/data_plane.h"

#include <sys/stat.h>

#include <filesystem>
#include <latch>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/version.h"
#include "journal/state_directory.h"
#include "net/socket.h"
#include "observe/prometheus.h"
#include "server/scheduling.h"
#include "spdlog/spdlog.h"
#include "tls/server_context.h"
#include "tls/ticket_transfer.h"

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

// In a takeover, for the first word about names and checked servers; how often the other process is looked at.
constexpr std::chrono::seconds kSettlingTime{10};
constexpr std::chrono::milliseconds kSettlingStep{100};
// For a process that ends to have ended.
constexpr std::chrono::minutes kEndingTime{2};

// What `ask`, given where to put it, is answered by another thread.
template <typename Ask>
absl::Status wait_for_status(Ask ask) {
  std::latch done(1);
  absl::Status result;
  ask([&](absl::Status status) {
    result = std::move(status);
    done.count_down();
  });
  done.wait();
  return result;
}

}  // namespace

DataPlane::DataPlane(const Settings& settings, StartOptions options)
    : settings_(settings), options_(std::move(options)), started_(std::chrono::steady_clock::now()) {}

// From the inside out. In a takeover the process that runs serves beside this one until be_the_one(); what fails before
// that leaves it as it was.
absl::StatusOr<std::unique_ptr<DataPlane>> DataPlane::start(const ConfigurationFile& file, StartOptions options) {
  std::unique_ptr<DataPlane> self(new DataPlane(file.settings, std::move(options)));
  const Settings& settings = self->settings_;
  auto credentials = load_credentials(file);
  if (!credentials.ok()) return credentials.status();
  self->credentials_ = *std::move(credentials);
  // While nobody has given up anything for us.
  if (absl::Status status = may_enter(self->worker_class()); !status.ok()) return status;
  if (absl::Status status = self->open_log(); !status.ok()) return status;
  if (absl::Status status = self->ask_for_takeover(); !status.ok()) return status;
  if (absl::Status status = self->serve_traffic(file); !status.ok()) return status;
  if (absl::Status status = self->serve_metrics(); !status.ok()) return status;
  self->settle();
  if (absl::Status status = self->be_the_one(); !status.ok()) return status;
  if (absl::Status status = self->serve_management(); !status.ok()) return status;
  self->watch_limits();
  self->wait_for_successor();
  spdlog::info("fairlead {} serves: {} workers, management at {}, configuration {}", base::kVersion, settings.workers,
               absl::StrJoin(self->management_->bound(), ", "), file.path.empty() ? "empty" : file.path);
  if (settings.state_directory.empty()) {
    spdlog::info("no state directory: what is changed at run time ends with this process");
  }
  return self;
}

DataPlane::~DataPlane() { stop(); }

absl::Status DataPlane::open_log() {
  if (settings_.access_log.empty()) return absl::OkStatus();
  auto log =
      observe::AccessLog::open({.path = settings_.access_log, .workers = static_cast<unsigned>(settings_.workers)});
  if (!log.ok()) return log.status();
  access_log_ = *std::move(log);
  return absl::OkStatus();
}

absl::Status DataPlane::ask_for_takeover() {
  if (!options_.takeover) return absl::OkStatus();
  if (settings_.state_directory.empty()) {
    return absl::FailedPreconditionError(
        "--takeover: needs state_directory in the configuration file; the running process is asked there");
  }
  absl::StatusOr<std::optional<takeover::Taker>> taker =
      takeover::Taker::ask(settings_.state_directory, base::kVersion);
  if (!taker.ok()) return taker.status();
  taker_ = *std::move(taker);
  if (!taker_) {
    wait_for_the_last_one();
    spdlog::info("takeover: no process runs with {}; starting without one", settings_.state_directory);
    return absl::OkStatus();
  }
  spdlog::info("takeover: process {} has given {} addresses and the state directory", taker_->from(),
               taker_->offers().size());
  inheritance_ = std::make_shared<Inheritance>(std::move(taker_->offers()));
  return absl::OkStatus();
}

// One that was told to end gives nothing any more, and has the state directory until it has ended.
void DataPlane::wait_for_the_last_one() const {
  const auto deadline = std::chrono::steady_clock::now() + kEndingTime;
  int said = 0;
  while (const int holder = journal::StateDirectory::holder(settings_.state_directory)) {
    if (std::chrono::steady_clock::now() >= deadline) return;
    if (std::exchange(said, holder) != holder) {
      spdlog::info("takeover: process {} has {} and gives nothing, as one that ends; waiting until it has", holder,
                   settings_.state_directory);
    }
    std::this_thread::sleep_for(kSettlingStep);
  }
}

absl::Status DataPlane::serve_traffic(const ConfigurationFile& file) {
  workers_ = std::make_unique<Workers>(settings_.workers, via_name(), access_log_.get(), settings_.resolver);
  workers_->process().max_connections = settings_.limits.max_connections;
  workers_->inherit(inheritance_);
  if (taker_) settling_ = &workers_->hold_listeners();
  workers_->start(worker_class());
  give_way_to_workers();
  return open_store(file);
}

absl::Status DataPlane::open_store(const ConfigurationFile& file) {
  std::unique_ptr<journal::Journal> journal;
  if (!settings_.state_directory.empty()) {
    if (options_.reseed) {
      // Before anything is given up for it.
      if (absl::Status valid = check_resources(file); !valid.ok()) return valid;
    }
    auto opened = journal::Journal::open(
        {.directory = settings_.state_directory, .history = settings_.history, .reset = options_.reseed});
    if (!opened.ok()) return opened.status();
    journal = *std::move(opened);
  }
  std::shared_ptr<const tls::Seal> seal;
  if (!settings_.certificate_key_file.empty()) {
    absl::StatusOr<tls::Seal> read = tls::Seal::read(settings_.certificate_key_file);
    if (!read.ok()) return read.status();
    seal = std::make_shared<const tls::Seal>(*read);
  }
  auto store = store::Store::open(*workers_, {}, std::move(journal), settings_.zone, std::move(seal));
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  adopt_tickets();
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

absl::Status DataPlane::serve_metrics() {
  if (!settings_.observation) return absl::OkStatus();
  auto make_page = [this](auto done) { make_metrics_page(std::move(done)); };
  auto inherited = inheritance_->take(takeover::Use::kObservation, 0, settings_.observation->to_string());
  if (!inherited.empty()) {
    config::Endpoint bound = net::bound_address(inherited.front().get());
    metrics_ = observe::MetricsServer::start_on(std::move(inherited.front()), inheritance_->file_of(bound), make_page);
    return absl::OkStatus();
  }
  auto metrics = observe::MetricsServer::start(*settings_.observation, make_page);
  if (!metrics.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("observation.listen: ", std::string(metrics.status().message())));
  }
  metrics_ = *std::move(metrics);
  return absl::OkStatus();
}

// Where requests may go is known to the other process, which serves meanwhile, and not to this one: which servers are
// down, and where those are that have names. What follows from a first word (a name's address is checked) is expected
// before the store has dealt with it.
void DataPlane::settle() {
  if (!settling_) return;
  const auto began = std::chrono::steady_clock::now();
  const auto deadline = began + kSettlingTime;
  bool is_settled = false;
  while (!is_settled && std::chrono::steady_clock::now() < deadline && !taker_->is_alone()) {
    if (!settling_->wait_until(std::min(deadline, std::chrono::steady_clock::now() + kSettlingStep))) continue;
    (void)read_store([](store::Reader&) {});
    is_settled = settling_->wait_until(std::chrono::steady_clock::now());
  }
  workers_->begin_accepting();
  spdlog::log(
      is_settled ? spdlog::level::info : spdlog::level::warn, "takeover: {} after {:.3f} s; begins to accept",
      is_settled ? "all names and checked servers have been heard of" : "some names or checked servers are unknown",
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
}

// Traffic is served by now. Whatever else can fail is done first; no client may change anything before.
absl::Status DataPlane::be_the_one() {
  for (const std::string& listen : settings_.management_listen) make_folder_of(listen);
  auto inherit = [this](const std::string& wanted) {
    auto sockets = inheritance_->take(takeover::Use::kManagement, 0, wanted);
    if (sockets.empty()) return management::Inherited();
    config::Endpoint bound = net::bound_address(sockets.front().get());
    return management::Inherited{std::move(sockets.front()), inheritance_->file_of(bound)};
  };
  auto addresses = management::open_addresses(management_options(), inherit);
  if (!addresses.ok()) return addresses.status();
  management_addresses_ = *std::move(addresses);
  for (const management::Listening& one : management_addresses_) workers_->reserve(one.bound, "management.listen");
  if (metrics_) workers_->reserve(metrics_->bound(), "observation.listen");
  if (absl::Status status = open_giver(); !status.ok()) return status;
  std::vector<bool> kept = inheritance_->close();
  if (!taker_) return absl::OkStatus();
  absl::Status confirmed = taker_->confirm(kept);
  taker_.reset();
  if (confirmed.ok()) inheritance_->own();
  return confirmed;
}

management::ServerOptions DataPlane::management_options() const {
  return {.listen = settings_.management_listen,
          .insecure = settings_.management_insecure,
          .tls = credentials_,
          .build = base::kVersion,
          .workers = static_cast<uint32_t>(workers_->size()),
          .counts = management_counts_};
}

absl::Status DataPlane::serve_management() {
  auto management = management::ManagementServer::start_on(std::move(management_addresses_), management_options(),
                                                           *store_, *workers_);
  if (!management.ok()) return management.status();
  management_ = *std::move(management);
  return absl::OkStatus();
}

void DataPlane::watch_limits() {
  overload_ = std::make_unique<Overload>(
      workers_->process(), settings_.limits,
      [this](proxy::OverloadStep step, bool is_new, const std::string& reason) { on_overload(step, is_new, reason); });
  overload_->start();
}

void DataPlane::on_overload(proxy::OverloadStep step, bool is_new, const std::string& reason) {
  if (step == proxy::OverloadStep::kShed) workers_->shed();
  if (!is_new) return;
  bool is_over = step == proxy::OverloadStep::kNone;
  spdlog::log(is_over ? spdlog::level::info : spdlog::level::warn, "overload: {}: {}", std::string(name_of(step)),
              reason);
  store_->note({static_cast<v1::OverloadStep>(static_cast<int>(step) + v1::OVERLOAD_STEP_NONE), reason});
}

absl::Status DataPlane::give_up_root() {
  if (!settings_.identity) return absl::OkStatus();
  if (!settings_.state_directory.empty()) {
    absl::Status given = give_folder(settings_.state_directory, *settings_.identity);
    if (!given.ok()) return given;
  }
  return become(*settings_.identity);
}

// ---- the next takeover

absl::Status DataPlane::open_giver() {
  if (settings_.state_directory.empty()) return absl::OkStatus();
  std::string path = absl::StrCat(settings_.state_directory, "/", takeover::kSocketName);
  auto inherited = inheritance_->take(takeover::Use::kTakeover, 0, path);
  if (!inherited.empty()) {
    giver_socket_ = std::move(inherited.front());
    takeover::listen_again(giver_socket_.get());
  } else {
    auto listening = takeover::listen_at(path);
    if (!listening.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat("state_directory: ", std::string(listening.status().message())));
    }
    giver_socket_ = *std::move(listening);
  }
  config::Endpoint endpoint(config::UnixEndpoint{path});
  giver_file_ = inherited.empty() ? net::SocketFile(endpoint) : inheritance_->file_of(endpoint);
  return absl::OkStatus();
}

void DataPlane::wait_for_successor() {
  takeover::Host& host = *this;
  if (!giver_socket_) return;
  giver_ = std::make_unique<takeover::Giver>(host, std::move(giver_socket_));
  giver_->start();
}

absl::Status DataPlane::read_store(const std::function<void(store::Reader&)>& reading) {
  return wait_for_status([&](auto done) {
    auto posted = store_->read([&reading, done](store::Reader& reader) {
      reading(reader);
      done(absl::OkStatus());
    });
    if (posted != store::Store::Posted::kYes) done(absl::UnavailableError("busy"));
  });
}

absl::Status DataPlane::give_up_state() {
  return wait_for_status([this](auto done) { store_->hand_over_journal(std::move(done)); });
}

absl::Status DataPlane::take_state_back(bool changes_count) {
  return wait_for_status([&](auto done) { store_->take_back_journal(changes_count, std::move(done)); });
}

std::vector<takeover::Offer> DataPlane::offer() {
  std::vector<takeover::Offer> offers = workers_->copy_sockets();
  auto add = [&](takeover::Use use, std::string wanted, std::string bound, base::Descriptor socket) {
    offers.push_back({use, 0, std::move(wanted), std::move(bound), {}});
    offers.back().sockets.push_back(std::move(socket));
  };
  for (auto& copy : management_->copy_sockets()) {
    add(takeover::Use::kManagement, copy.wanted, copy.bound, std::move(copy.socket));
  }
  if (metrics_) {
    add(takeover::Use::kObservation, settings_.observation->to_string(), metrics_->bound().to_string(),
        metrics_->copy_of_socket());
  }
  std::string path = absl::StrCat(settings_.state_directory, "/", takeover::kSocketName);
  add(takeover::Use::kTakeover, path, path, giver_->copy_of_socket());
  offered_.clear();
  for (const takeover::Offer& one : offers) offered_.push_back({one.use, one.bound});
  return offers;
}

// Ticket keys of listeners, so that the other process knows these clients as this one does.
std::string DataPlane::secrets() {
  std::vector<tls::ListenerTickets> tickets;
  (void)read_store([&](store::Reader& reader) {
    for (const store::ListenerView& listener : reader.everything().listeners) {
      const config::Listener& record = *listener.record;
      if (!record.tls_context) continue;
      tickets.push_back({record.metadata.uid, record.metadata.version, record.tls_context->ticket_keys().keys()});
    }
  });
  return tls::write_tickets(tickets);
}

// Before anybody is accepted. Of a listener that is another one than it was they would open what it did not grant.
void DataPlane::adopt_tickets() {
  if (!taker_) return;
  auto tickets = tls::read_tickets(taker_->secrets());
  if (!tickets.ok()) return spdlog::warn("takeover: {}", std::string(tickets.status().message()));
  absl::flat_hash_map<config::Uid, tls::ListenerTickets*> by_uid;
  for (tls::ListenerTickets& listener : *tickets) by_uid[listener.uid] = &listener;
  (void)read_store([&](store::Reader& reader) {
    for (const store::ListenerView& listener : reader.everything().listeners) {
      const config::Listener& record = *listener.record;
      auto given = by_uid.find(record.metadata.uid);
      if (!record.tls_context || given == by_uid.end() || given->second->version != record.metadata.version) continue;
      record.tls_context->ticket_keys().adopt(std::move(given->second->keys));
    }
  });
}

void DataPlane::leave(const std::vector<bool>& kept) {
  left_ = kept;
  std::vector<std::string> listeners;
  for (size_t i = 0; i < offered_.size(); ++i) {
    const Offered& one = offered_[i];
    if (one.use == takeover::Use::kListener && kept[i]) listeners.push_back(one.bound);
  }
  workers_->leave(listeners);
  taken_over_ = true;
  options_.on_taken_over();
}

// Files of sockets that the other process has stay.
void DataPlane::leave_files() {
  for (size_t i = 0; i < left_.size(); ++i) {
    if (!left_[i]) continue;
    if (offered_[i].use == takeover::Use::kManagement) management_->leave();
    if (offered_[i].use == takeover::Use::kObservation) metrics_->leave();
    if (offered_[i].use == takeover::Use::kTakeover) giver_file_.forget();
  }
  left_.clear();
}

void DataPlane::make_metrics_page(std::function<void(observe::MetricsServer::Page)> done) {
  workers_->collect(/*servers=*/true, [this, done = std::move(done)](observe::Statistics statistics) {
    // A worker's thread is here: it only hands over. The store's is not asked: it may be waiting for the disk.
    auto shared = std::make_shared<observe::Statistics>(std::move(statistics));
    done([this, shared] {
      if (access_log_) shared->log_lines_dropped += access_log_->dropped_by_writer();
      const auto overload_step = static_cast<unsigned>(workers_->process().overload.load(std::memory_order_relaxed));
      store::Facts::View facts = store_->facts().view();
      return observe::format_prometheus(std::move(*shared), {.version = base::kVersion,
                                                             .build = __VERSION__,
                                                             .uptime = std::chrono::steady_clock::now() - started_,
                                                             .workers = static_cast<unsigned>(workers_->size()),
                                                             .configuration_version = store_->version(),
                                                             .usage = observe::read_process_usage(),
                                                             .journal = journal_facts(),
                                                             .overload_step = overload_step,
                                                             .certificates = std::move(facts.certificates),
                                                             .change_durations = facts.change_durations,
                                                             .management = management_facts()});
    });
  });
}

std::optional<observe::JournalFacts> DataPlane::journal_facts() const {
  if (!store_->journal()) return std::nullopt;
  journal::Info info = store_->journal()->info();
  return observe::JournalFacts{.writable = info.condition == journal::Condition::kWriting, .bytes = info.bytes};
}

observe::ManagementFacts DataPlane::management_facts() const {
  const management::Counts& counts = *management_counts_;
  observe::ManagementFacts facts{.denied = counts.denied, .tls = std::nullopt};
  if (!credentials_) return facts;
  facts.tls = {
      .connections = counts.tls_connections,
      .connections_refused = counts.tls_connections_refused,
      .handshakes_done = counts.handshakes_done,
      .handshakes_failed = counts.handshakes_failed,
      .reloads_done = counts.reloads_done,
      .reloads_refused = counts.reloads_refused,
      .not_after = std::chrono::duration_cast<std::chrono::seconds>(credentials_->expires().time_since_epoch())};
  return facts;
}

BoundAddresses DataPlane::bound_addresses() {
  BoundAddresses addresses;
  (void)read_store([&](store::Reader& reader) {
    for (const store::ListenerView& listener : reader.everything().listeners) {
      for (auto& bound : listener.record->bound)
        addresses.listeners[listener.record->name].push_back(bound.to_string());
    }
  });
  addresses.management = management_->bound();
  if (metrics_) addresses.observation = metrics_->bound().to_string();
  return addresses;
}

void DataPlane::reopen_files() {
  if (access_log_) access_log_->reopen();
  management_->reload();
}

void DataPlane::stop() {
  bool taken_over = giver_ && giver_->stop();
  leave_files();
  giver_file_.remove();
  giver_.reset();
  if (management_) management_->stop();
  if (overload_) overload_->stop();
  if (store_) store_->stop();
  // Another process has the addresses, so this one's clients may take their time.
  runtime::Duration idle_grace = taken_over ? settings_.shutdown_timeout : Workers::kIdleGrace;
  if (workers_) workers_->stop(settings_.shutdown_timeout, idle_grace);
  metrics_.reset();
  management_.reset();
  store_.reset();
  workers_.reset();
  access_log_.reset();
}

}  // namespace fairlead::server
