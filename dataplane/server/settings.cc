#include "server/settings.h"

#include <sched.h>

#include <algorithm>
#include <latch>

#include "absl/strings/str_cat.h"
#include "api/field_checker.h"
#include "api/operation.h"
#include "api/yaml.h"
#include "config/validate.h"
#include "server/management_settings.h"
#include "server/resolver_settings.h"

namespace fairlead::server {
namespace {

constexpr const char* kDefaultManagement = "unix:/run/fairlead/management.sock";
constexpr uint32_t kWorkersMax = 256;
constexpr api::DurationRange kHistoryAgeRange{.min = std::chrono::minutes(1), .max = std::chrono::hours(24 * 3653)};
constexpr api::DurationRange kShutdownRange{.min = config::Duration::zero(), .max = std::chrono::hours(24)};

int usable_cpus() {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return std::max(1, CPU_COUNT(&cpus));
}

absl::Status at(const ConfigurationFile& file, const std::string& field, const std::string& text) {
  return absl::InvalidArgumentError(absl::StrCat(api::yaml_location(file.text, file.path, field), ": ", text));
}

void read_observation(const v1::Configuration& message, api::FieldChecker& checker, Settings& settings) {
  if (message.observation().listen().empty()) return;
  settings.observation = checker.endpoint("observation.listen", message.observation().listen());
  for (const std::string& management : settings.management_listen) {
    if (!settings.observation || !is_same_place(management, *settings.observation)) continue;
    checker.fail("observation.listen",
                 config::quoted(message.observation().listen()) + " is where management.listen is as well");
  }
}

absl::Status read_settings(const v1::Configuration& message, ConfigurationFile& file) {
  api::FieldChecker checker;
  Settings& settings = file.settings;
  auto workers = checker.number("workers", message.workers() != 0, message.workers(), {0, kWorkersMax});
  if (workers) settings.workers = static_cast<int>(*workers);
  settings.real_time_workers = message.real_time_workers();
  decode_management(checker, message.management(), settings);
  read_observation(message, checker, settings);
  settings.state_directory = message.state_directory();
  const v1::History& history = message.history();
  auto versions = checker.number("history.versions", history.has_versions(), history.versions(), {0, 1'000'000});
  if (versions) settings.history.versions = *versions;
  auto age = checker.duration("history.age", history.has_age(), history.age(), kHistoryAgeRange);
  if (age) settings.history.age = *age;
  settings.certificate_key_file = message.certificate_key_file();
  if (settings.certificate_key_file.empty() && !settings.state_directory.empty() &&
      message.resources().certificates_size() > 0) {
    checker.fail(
        "certificate_key_file",
        "is not set; with a state_directory it is needed for certificates, whose private keys are encrypted there");
  }
  settings.access_log = message.access_log().path();
  checker.check("zone", config::check_zone(message.zone()));
  settings.zone = message.zone();
  auto timeout = checker.duration("shutdown.timeout", message.shutdown().has_timeout(), message.shutdown().timeout(),
                                  kShutdownRange);
  if (timeout) settings.shutdown_timeout = *timeout;
  settings.resolver = decode_resolver(checker, message.resolver());
  settings.limits = decode_limits(checker, message.limits());
  settings.identity = decode_identity(checker, message);
  if (checker.ok()) return absl::OkStatus();
  api::Failure failure = checker.take_failure("configuration");
  return at(file, failure.field, failure.text());
}

// Where an operation of upserts_of() stands in the file: the n-th of its kind. One inside a backend's `servers` has the
// position of the backend, and is found by its name.
std::string path_of(const v1::Resources& resources, const std::vector<v1::Operation>& operations, uint32_t index,
                    const std::string& title) {
  int same_kind_before = 0;
  auto kind = operations[index].upsert().kind_case();
  for (uint32_t i = 0; i < index; ++i) same_kind_before += operations[i].upsert().kind_case() == kind;
  switch (kind) {
    case v1::Resource::kListener:
      return absl::StrCat("resources.listeners[", same_kind_before, "]");
    case v1::Resource::kServer:
      return absl::StrCat("resources.servers[", same_kind_before, "]");
    case v1::Resource::kCertificate:
      return absl::StrCat("resources.certificates[", same_kind_before, "]");
    default:
      break;
  }
  const v1::Backend& backend = resources.backends(same_kind_before);
  std::string path = absl::StrCat("resources.backends[", same_kind_before, "]");
  for (int i = 0; i < backend.servers_size(); ++i) {
    if (api::server_title(backend.name(), backend.servers(i).name()) == title) {
      return absl::StrCat(path, ".servers[", i, "]");
    }
  }
  return path;
}

absl::Status status_of(const ConfigurationFile& file, const std::vector<v1::Operation>& operations,
                       const store::IndexedFailure& failure) {
  if (!failure.index) return absl::FailedPreconditionError(absl::StrCat(file.path, ": ", failure.failure.text()));
  const std::string& field = failure.failure.field;
  std::string path = path_of(file.resources, operations, *failure.index, failure.failure.resource);
  // What is malformed inside a backend is named from the backend on, servers[1].weight.
  if (field.starts_with("servers[")) path = path.substr(0, path.rfind(".servers["));
  if (!field.empty()) absl::StrAppend(&path, ".", field);
  return at(file, path, failure.failure.text());
}

// A reading half that reads nothing: for checking. Listeners cannot have what this process itself will listen on.
class NoWorkers : public store::ReadingHalf {
 public:
  explicit NoWorkers(const Settings& settings) : settings_(settings) {}

  absl::StatusOr<std::vector<config::Endpoint>> bind(config::Uid,
                                                     const std::vector<config::Endpoint>& addresses) override {
    for (const config::Endpoint& address : addresses) {
      auto is_here = [&](const std::string& listen) { return is_same_place(listen, address); };
      if (settings_.observation && is_here(settings_.observation->to_string())) {
        return store::own_address(address, "observation.listen");
      }
      if (std::ranges::any_of(settings_.management_listen, is_here)) {
        return store::own_address(address, "management.listen");
      }
    }
    return addresses;
  }
  void unbind(config::Uid) override {}
  void close_addresses(config::Uid, const std::vector<config::Endpoint>&) override {}
  void accept(config::Slot, config::Uid) override {}
  void stop_accepting(config::Uid) override {}
  void publish(base::Ref<const config::Snapshot>, std::function<void()> visible) override { visible(); }
  void drain(const store::DrainOrder& order, std::function<void(store::Drained)> drained) override {
    drained({.server = order.server});
  }
  void cancel_drain(config::BackendHandle, config::Slot, config::Uid) override {}
  void on_check_results(std::function<void(std::vector<store::CheckResult>)>) override {}
  void check(std::vector<store::CheckOrder>) override {}
  void change_checks(base::Ref<const config::Backend>) override {}
  void stop_checks(std::vector<config::Uid>) override {}
  void close_connections(config::BackendHandle, config::Slot, config::Uid) override {}
  void close_idle_connections(config::BackendHandle, config::Slot, config::Uid) override {}
  void follow_pool(config::BackendHandle) override {}
  void warm(std::vector<store::WarmOrder>) override {}
  void observe(base::Ref<const config::Backend>, uint64_t) override {}
  void stop_observing(config::Uid) override {}
  void forget_ejections(config::Uid, config::Uid) override {}
  void on_name_facts(std::function<void(std::vector<store::NameFact>)>) override {}
  void resolve(std::vector<std::string>) override {}
  void stop_resolving(std::vector<std::string>) override {}

 private:
  const Settings& settings_;
};

}  // namespace

ConfigurationFile default_configuration() {
  ConfigurationFile file;
  file.settings.workers = usable_cpus();
  file.settings.management_listen = {kDefaultManagement};
  return file;
}

absl::StatusOr<ConfigurationFile> read_configuration_file(const std::string& path) {
  absl::StatusOr<std::string> text = api::read_yaml_file(path);
  if (!text.ok()) return text.status();
  auto message = api::parse_yaml<v1::Configuration>(*text, path);
  if (!message.ok()) return message.status();
  ConfigurationFile file = default_configuration();
  file.path = path;
  file.text = *std::move(text);
  if (absl::Status settings = read_settings(*message, file); !settings.ok()) return settings;
  file.resources = std::move(*message->mutable_resources());
  return file;
}

absl::Status load_resources(const ConfigurationFile& file, store::Store& store) {
  std::vector<v1::Operation> operations = api::upserts_of(file.resources);
  if (operations.empty()) return absl::OkStatus();
  v1::Transaction message;
  message.mutable_operations()->Assign(operations.begin(), operations.end());
  // A file may hold more than a client may send at once.
  store::Limits limits = store.limits();
  limits.operations_per_transaction = std::numeric_limits<uint32_t>::max();
  auto origin = std::make_shared<store::Origin>(store::Origin{.actor = "file", .peer = file.path});
  store::Result result;
  std::latch answered(1);
  store::Transaction transaction = store::make_transaction(message, limits, origin);
  transaction.is_beginning = transaction.restores = true;
  store.apply(std::move(transaction), {}, [&](store::Result answer) {
    result = std::move(answer);
    answered.count_down();
  });
  answered.wait();
  if (!result.refused()) return absl::OkStatus();
  return status_of(file, operations, result.failures.at(0));
}

absl::StatusOr<std::shared_ptr<management::Credentials>> load_credentials(const ConfigurationFile& file) {
  if (!file.settings.management_tls) return nullptr;
  auto credentials = management::Credentials::load(*file.settings.management_tls);
  if (credentials.ok()) return credentials;
  std::string text(credentials.status().message());
  return at(file, text.substr(0, text.find(": ")), text);
}

absl::Status check_resources(const ConfigurationFile& file) {
  NoWorkers nobody(file.settings);
  store::Store store(nobody);
  return load_resources(file, store);
}

}  // namespace fairlead::server
