#include "ctl/top.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "api/yaml.h"
#include "ctl/kinds.h"
#include "ctl/resource_verbs.h"
#include "ctl/terminal.h"
#include "ctl/top_model.h"
#include "ctl/top_view.h"

namespace fairlead::ctl {
namespace {

Result<v1::StreamStatisticsRequest> request_from(const Arguments& arguments) {
  v1::StreamStatisticsRequest request;
  auto interval = parse_duration_value("--interval", arguments.value("interval", "1s"));
  if (!interval) return std::unexpected(interval.error());
  *request.mutable_interval() = *interval;
  request.set_servers(true);
  for (const std::string& backend : arguments.operands()) request.add_backends(backend);
  return request;
}

// Asks a data plane for samples on a thread of its own, again and again where the stream breaks, and hands them over.
class Sampler {
 public:
  struct Update {
    std::vector<v1::StreamStatisticsResponse> samples;
    v1::ListServersResponse servers;
    bool has_servers = false;
    std::string trouble;
  };

  Sampler(Client& client, v1::StreamStatisticsRequest request, std::function<void()> on_update)
      : client_(client), request_(std::move(request)), on_update_(std::move(on_update)), thread_([this] { run(); }) {}

  ~Sampler() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      if (call_ != nullptr) call_->TryCancel();
    }
    changed_.notify_all();
    thread_.join();
  }

  Update take() {
    std::lock_guard lock(mutex_);
    Update taken = std::exchange(update_, {});
    update_.trouble = taken.trouble;
    return taken;
  }

 private:
  // Samples that nobody took are worth nothing but for the history.
  static constexpr std::size_t kSamplesMax = TopModel::kHistory;

  void run() {
    while (read_stream()) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::seconds(1), [this] { return stopped_; });
      if (stopped_) return;
    }
  }

  // Until the stream ends; false where the program does.
  bool read_stream() {
    grpc::ClientContext call;
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return false;
      call_ = &call;
    }
    auto reader = client_.observation().StreamStatistics(&call, request_);
    v1::StreamStatisticsResponse sample;
    while (reader->Read(&sample)) hand_over(sample);
    const grpc::Status status = reader->Finish();
    std::lock_guard lock(mutex_);
    call_ = nullptr;
    update_.trouble = status.ok() ? "the data plane ended the stream" : client_.failure(status).text;
    on_update_();
    return !stopped_;
  }

  void hand_over(const v1::StreamStatisticsResponse& sample) {
    v1::ListServersResponse servers;
    const bool has_servers = refresh_servers(servers);
    std::lock_guard lock(mutex_);
    if (update_.samples.size() < kSamplesMax) update_.samples.push_back(sample);
    update_.trouble.clear();
    if (has_servers) {
      update_.servers = std::move(servers);
      update_.has_servers = true;
    }
    on_update_();
  }

  // Addresses change seldom, and to ask for a hundred thousand takes a while: at most a twentieth of the time.
  bool refresh_servers(v1::ListServersResponse& servers) {
    const auto start = std::chrono::steady_clock::now();
    if (start < next_refresh_) return false;
    auto all = list_all<ServerKind>(client_, v1::ListServersRequest());
    const auto end = std::chrono::steady_clock::now();
    next_refresh_ = end + std::max<std::chrono::steady_clock::duration>(std::chrono::seconds(2), (end - start) * 20);
    if (all) servers = *std::move(all);
    return all.has_value();
  }

  Client& client_;
  const v1::StreamStatisticsRequest request_;
  const std::function<void()> on_update_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Update update_;
  grpc::ClientContext* call_ = nullptr;
  bool stopped_ = false;
  // Of the thread alone.
  std::chrono::steady_clock::time_point next_refresh_;
  // Last: it uses what stands above.
  std::thread thread_;
};

void on_key(const std::string& key, TopState& state, int page) {
  if (key == "n") state.sort = TopSort::kName;
  if (key == "r") state.sort = TopSort::kRate;
  if (key == "i") state.sort = TopSort::kInFlight;
  if (key == "l") state.sort = TopSort::kLatency;
  if (key == "e") state.sort = TopSort::kErrors;
  if (key == "s") state.servers = !state.servers;
  if (key == " ") state.held = !state.held;
  if (key == "up" || key == "k") --state.offset;
  if (key == "down" || key == "j") ++state.offset;
  if (key == "page up") state.offset -= page;
  if (key == "page down") state.offset += page;
  if (key == "home") state.offset = 0;
  if (key == "end") state.offset = 1 << 30;
}

// True where there was a sample.
bool take_update(Sampler& sampler, TopModel& model, TopState& state) {
  const Sampler::Update update = sampler.take();
  state.trouble = update.trouble;
  if (state.held) return !update.samples.empty();
  for (const v1::StreamStatisticsResponse& sample : update.samples) model.update(sample);
  if (update.has_servers) model.update_servers(update.servers);
  if (!update.samples.empty()) state.time = absl::FormatTime("%H:%M:%S", absl::Now(), absl::LocalTimeZone());
  return !update.samples.empty();
}

// A data plane that hangs ends no stream: only the clock tells.
std::string silence_text(absl::Duration silence, absl::Duration interval) {
  if (silence < std::max(absl::Seconds(3), 3 * interval)) return "";
  return absl::StrCat("no sample for ", absl::ToInt64Seconds(silence), " s");
}

Result<void> run_live(Context& context, const v1::StreamStatisticsRequest& request) {
  Terminal terminal;
  Sampler sampler(context.client, request, [&terminal] { terminal.wake(); });
  TopModel model;
  TopState state;
  state.address = context.client.address();
  const absl::Duration interval = absl::FromChrono(to_chrono(request.interval()));
  absl::Time last_sample = absl::Now();
  while (true) {
    TopState shown = state;
    if (shown.trouble.empty() && !shown.held) shown.trouble = silence_text(absl::Now() - last_sample, interval);
    const TopScreen screen{.width = terminal.width(), .height = terminal.height(), .colour = context.streams.colour};
    terminal.draw(render_top(model, shown, screen));
    state.offset = shown.offset;
    switch (terminal.wait(std::chrono::seconds(1))) {
      case TerminalEvent::kQuit:
        return {};
      case TerminalEvent::kKey:
        if (terminal.key() == "q" || terminal.key() == "Q") return {};
        on_key(terminal.key(), state, terminal.height() / 2);
        break;
      case TerminalEvent::kWoken:
        if (take_update(sampler, model, state)) last_sample = absl::Now();
        break;
      case TerminalEvent::kResized:
      case TerminalEvent::kNone:
        break;
    }
  }
}

Result<void> run_once(Context& context, const v1::StreamStatisticsRequest& request) {
  grpc::ClientContext call;
  const auto interval = to_chrono(request.interval());
  call.set_deadline(std::chrono::system_clock::now() + context.client.timeout() + interval);
  auto reader = context.client.observation().StreamStatistics(&call, request);
  v1::StreamStatisticsResponse sample;
  const bool read = reader->Read(&sample);
  // The stream has no end of its own; one that was refused has, and says why.
  if (read) call.TryCancel();
  const grpc::Status status = reader->Finish();
  if (!read) return std::unexpected(context.client.failure(status, context.client.timeout() + interval));
  if (print_message(context, sample)) return {};
  auto servers = list_all<ServerKind>(context.client, v1::ListServersRequest());
  if (!servers) return std::unexpected(servers.error());
  TopModel model;
  model.update(sample);
  model.update_servers(*servers);
  context.streams.out << render_top_table(model, TopState(), context.streams.colour);
  return {};
}

}  // namespace

Result<void> run_top(Context& context) {
  auto request = request_from(context.arguments);
  if (!request) return std::unexpected(request.error());
  for (const std::string& backend : request->backends()) {
    if (auto exists = backend_exists(context.client, backend); !exists) return exists;
  }
  // Without a keyboard nobody could end a live picture.
  const bool live = context.streams.terminal && isatty(STDIN_FILENO) != 0 && !context.arguments.has("once") &&
                    context.format == Format::kTable;
  return live ? run_live(context, *request) : run_once(context, *request);
}

}  // namespace fairlead::ctl
