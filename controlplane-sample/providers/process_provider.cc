#include "providers/process_provider.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "spdlog/spdlog.h"
#include "threads/monitor.h"

namespace fairlead::providers {
namespace {

constexpr char kPidLabel[] = "pid";
constexpr char kStartLabel[] = "process-start";

Instance to_instance(const std::string& name, const std::string& address, const ProcessId& id) {
  return {.name = name,
          .address = address,
          .labels = {{kPidLabel, absl::StrCat(id.pid)}, {kStartLabel, absl::StrCat(id.start)}}};
}

ProcessId to_process(const std::map<std::string, std::string>& labels) {
  ProcessId id;
  const auto pid = labels.find(kPidLabel);
  const auto start = labels.find(kStartLabel);
  const bool complete = pid != labels.end() && start != labels.end() && absl::SimpleAtoi(pid->second, &id.pid) &&
                        absl::SimpleAtoi(start->second, &id.start);
  return complete ? id : ProcessId{};
}

}  // namespace

// One server's thread.
class ProcessProvider::Keeper {
 public:
  Keeper(ProcessProvider& provider, std::string name)
      : provider_(provider), name_(std::move(name)), interrupt_(make_event()) {}
  ~Keeper() {
    set_event(interrupt_);
    thread_.join();
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  void start() {
    thread_ = std::thread([this] { live_from_start(); });
  }
  void adopt(Process process) {
    thread_ = std::thread([this, adopted = std::move(process)] { live(adopted); });
  }
  // True when its Stopped will come from the thread; false when that is over.
  bool stop() {
    threads::Monitor::Lock lock(mutex_);
    if (over_) return false;
    stop_asked_ = true;
    set_event(interrupt_);
    return true;
  }
  bool over() {
    threads::Monitor::Lock lock(mutex_);
    return over_;
  }

 private:
  void live_from_start() {
    const absl::StatusOr<Launched> launched = launch(provider_.options_, provider_.state_, name_, interrupt_);
    if (!launched.ok()) return end(StartFailed{name_, std::string(launched.status().message())});
    provider_.listener_(Started{to_instance(name_, launched->address, launched->process.id())});
    live(launched->process);
  }

  void live(const Process& process) {
    if (wait_readable({process.ended(), interrupt_.get()}, absl::InfiniteFuture()) == 0) {
      const std::string why = process.reap();
      provider_.state_.remove(name_, false);
      return end(Exited{name_, absl::StrCat(why, "; its output is in ", provider_.state_.log_file(name_))});
    }
    if (!stop_asked()) return;
    terminate(provider_.options_, process);
    provider_.state_.remove(name_, true);
    end(Stopped{name_});
  }

  bool stop_asked() {
    threads::Monitor::Lock lock(mutex_);
    return stop_asked_;
  }

  // However it ended: who asked for a stop gets exactly one Stopped.
  void end(Event event) {
    bool stopped = false;
    {
      threads::Monitor::Lock lock(mutex_);
      over_ = true;
      stopped = stop_asked_;
    }
    provider_.listener_(stopped ? Stopped{name_} : std::move(event));
  }

  ProcessProvider& provider_;
  const std::string name_;
  // Asks the thread to look: a stop, or the end of this program.
  const Descriptor interrupt_;
  threads::Monitor mutex_;
  bool stop_asked_ = false;  // guarded by mutex_
  bool over_ = false;        // guarded by mutex_
  std::thread thread_;
};

ProcessProvider::ProcessProvider(LaunchOptions options, StateDirectory state, std::function<void(Event)> listener)
    : options_(std::move(options)), state_(std::move(state)), listener_(std::move(listener)) {}

ProcessProvider::~ProcessProvider() = default;

Recovery ProcessProvider::recover() {
  Recovery recovery;
  highest_number_ = state_.highest_number();
  recovery.highest_number = highest_number_;
  for (const Record& record : state_.records()) {
    std::optional<Process> process = Process::find(record.process);
    if (!process.has_value()) {
      state_.remove(record.name, true);
      continue;
    }
    // It was starting when this program ended, and did not serve anybody.
    if (record.address.empty()) {
      terminate(options_, *process);
      state_.remove(record.name, true);
      continue;
    }
    recovery.instances.push_back(to_instance(record.name, record.address, record.process));
    auto keeper = std::make_unique<Keeper>(*this, record.name);
    keeper->adopt(*std::move(process));
    keep(record.name, std::move(keeper));
  }
  return recovery;
}

void ProcessProvider::start(const std::string& name) {
  absl::string_view digits = name;
  int number = 0;
  if (absl::ConsumePrefix(&digits, "s") && absl::SimpleAtoi(digits, &number) && number > highest_number_) {
    highest_number_ = number;
    // Without it a name may come again after a restart; that is worth a warning, not a refusal to serve.
    if (absl::Status status = state_.write_highest_number(number); !status.ok())
      spdlog::warn("{}", std::string(status.message()));
  }
  auto keeper = std::make_unique<Keeper>(*this, name);
  keeper->start();
  keep(name, std::move(keeper));
}

void ProcessProvider::adopt(const Instance& instance) {
  const ProcessId id = to_process(instance.labels);
  std::optional<Process> process = Process::find(id);
  if (!process.has_value()) return listener_(NotAdopted{instance.name});
  const Record record{.name = instance.name, .process = id, .address = instance.address};
  if (absl::Status status = state_.write(record); !status.ok()) spdlog::warn("{}", std::string(status.message()));
  auto keeper = std::make_unique<Keeper>(*this, instance.name);
  keeper->adopt(*std::move(process));
  keep(instance.name, std::move(keeper));
  listener_(Adopted{instance});
}

void ProcessProvider::stop(const std::string& name) {
  const auto found = keepers_.find(name);
  if (found == keepers_.end() || !found->second->stop()) listener_(Stopped{name});
}

void ProcessProvider::keep(const std::string& name, std::unique_ptr<Keeper> keeper) {
  std::erase_if(keepers_, [](const auto& entry) { return entry.second->over(); });
  keepers_[name] = std::move(keeper);
}

}  // namespace fairlead::providers
