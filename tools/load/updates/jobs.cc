#include "updates/jobs.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "base/give_way.h"
#include "fmt/format.h"
#include "updates/session.h"

namespace fairlead::updates {
namespace {

using Clock = Session::Clock;

// The rates of the ends of a long run are taken over so many.
constexpr uint64_t kEnd = 100'000;

void write_server(const Settings& settings, uint32_t number, v1::Server& server) {
  server.set_backend(settings.backend);
  server.set_name(fmt::format("s{:07}", number));
  server.set_address(fmt::format("10.{}.{}.{}:8080", number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff));
}

// Operations that are written over again and again, so that sending allocates nothing.
void write_upserts(const Settings& settings, uint32_t first, uint32_t count, v1::Transaction& transaction) {
  while (static_cast<uint32_t>(transaction.operations_size()) < count) transaction.add_operations();
  if (static_cast<uint32_t>(transaction.operations_size()) > count) {
    transaction.mutable_operations()->DeleteSubrange(static_cast<int>(count),
                                                     transaction.operations_size() - static_cast<int>(count));
  }
  base::GiveWay give_way;
  for (uint32_t i = 0; i < count; ++i) {
    give_way.step();
    v1::Operation& operation = *transaction.mutable_operations(static_cast<int>(i));
    write_server(settings, first + i, *operation.mutable_upsert()->mutable_server());
  }
}

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

absl::Status send_all(Session& session, const Settings& settings, std::vector<Clock::time_point>* moments) {
  v1::StreamUpdatesRequest request;
  for (uint32_t sent = 0; sent < settings.servers;) {
    uint32_t count = std::min(settings.operations_per_transaction, settings.servers - sent);
    write_upserts(settings, sent, count, *request.mutable_transaction());
    if (absl::Status status = session.send(request, count); !status.ok()) return status;
    sent += count;
    // When each further kEnd of them were answered, to within a window.
    if (moments && session.answered() / kEnd >= moments->size()) moments->push_back(Clock::now());
  }
  return session.await_answers();
}

}  // namespace

absl::StatusOr<std::string> add(const Settings& settings) {
  Session session(settings.management);
  if (absl::Status status = session.open("bench", settings.election_id); !status.ok()) return status;
  std::vector<Clock::time_point> moments{Clock::now()};
  absl::Status status = send_all(session, settings, &moments);
  if (!status.ok()) return status;
  Clock::time_point end = Clock::now();
  if (session.answered() / kEnd >= moments.size()) moments.push_back(end);
  std::string rates;
  for (size_t i = 1; i < moments.size(); ++i) {
    rates += fmt::format("{}{:.0f}", i > 1 ? "," : "", kEnd / seconds_between(moments[i - 1], moments[i]));
  }
  double seconds = seconds_between(moments.front(), end);
  return fmt::format(R"({{"added":{},"seconds":{:.4f},"per_second":{:.0f},"per_second_by_100000":[{}],"version":{}}})",
                     settings.servers, seconds, settings.servers / seconds, rates, session.version());
}

// Prime, so that no number of rounds ends where it began.
constexpr uint64_t kWeights = 97;

absl::StatusOr<std::string> change(const Settings& settings) {
  Session session(settings.management);
  if (absl::Status status = session.open("bench", settings.election_id); !status.ok()) return status;
  Clock::time_point start = Clock::now();
  // Another run begins at another one: what is there already is no change, and costs nothing.
  const uint64_t first_weight = session.version();
  v1::StreamUpdatesRequest request;
  uint64_t changes = 0;
  while (true) {
    uint32_t count = settings.operations_per_transaction;
    std::chrono::duration<double> due(static_cast<double>(changes) / settings.operations_per_second);
    if (due >= settings.duration) break;
    std::this_thread::sleep_until(start + std::chrono::duration_cast<Clock::duration>(due));
    // Far from each other, and each round another weight.
    auto first = static_cast<uint32_t>(changes * 7919 % std::max(1U, settings.servers - count));
    write_upserts(settings, first, count, *request.mutable_transaction());
    for (v1::Operation& operation : *request.mutable_transaction()->mutable_operations()) {
      operation.mutable_upsert()->mutable_server()->set_weight(
          1 + static_cast<uint32_t>((first_weight + changes) % kWeights));
    }
    if (absl::Status status = session.send(request, count); !status.ok()) return status;
    changes += count;
  }
  if (absl::Status status = session.await_answers(); !status.ok()) return status;
  generator::LatencyHistogram latencies = session.latencies();
  return fmt::format(R"({{"changes":{},"seconds":{:.4f},"ms_p50":{:.4f},"ms_p99":{:.4f},"ms_max":{:.4f}}})", changes,
                     seconds_between(start, Clock::now()), latencies.quantile_ms(0.5), latencies.quantile_ms(0.99),
                     latencies.max_ms());
}

absl::StatusOr<std::string> toggle(const Settings& settings) {
  Session session(settings.management);
  if (absl::Status status = session.open("bench", settings.election_id); !status.ok()) return status;
  Clock::time_point start = Clock::now();
  v1::StreamUpdatesRequest request;
  v1::Patch& patch = *request.mutable_transaction()->add_operations()->mutable_patch();
  patch.mutable_update_mask()->add_paths("admin_state");
  v1::Server& server = *patch.mutable_resource()->mutable_server();
  server.set_backend(settings.backend);
  server.set_name(settings.server);
  for (uint32_t i = 0; i < settings.times; ++i) {
    std::chrono::duration<double> due(i / settings.operations_per_second);
    std::this_thread::sleep_until(start + std::chrono::duration_cast<Clock::duration>(due));
    server.set_admin_state(i % 2 == 0 ? v1::ADMIN_STATE_DRAIN : v1::ADMIN_STATE_READY);
    if (absl::Status status = session.send(request, 1); !status.ok()) return status;
  }
  if (absl::Status status = session.await_answers(); !status.ok()) return status;
  return fmt::format(R"({{"toggled":{},"seconds":{:.4f}}})", settings.times, seconds_between(start, Clock::now()));
}

namespace {

// On a session of its own, as after a reconnect. The versions that it took.
absl::StatusOr<uint64_t> resync_once(const Settings& settings) {
  Session session(settings.management);
  if (absl::Status status = session.open("bench", settings.election_id); !status.ok()) return status;
  const uint64_t before = session.version();
  v1::StreamUpdatesRequest request;
  request.mutable_begin_resync()->set_backend(settings.backend);
  if (absl::Status status = session.send(request, 1); !status.ok()) return status;
  if (absl::Status status = send_all(session, settings, nullptr); !status.ok()) return status;
  request.mutable_end_resync();
  if (absl::Status status = session.send(request, 1); !status.ok()) return status;
  if (absl::Status status = session.await_answers(); !status.ok()) return status;
  return session.version() - before;
}

}  // namespace

absl::StatusOr<std::string> resync(const Settings& settings) {
  const Clock::time_point start = Clock::now();
  uint64_t resyncs = 0;
  uint64_t versions = 0;
  do {
    absl::StatusOr<uint64_t> taken = resync_once(settings);
    if (!taken.ok()) return taken.status();
    versions += *taken;
    ++resyncs;
  } while (Clock::now() - start < settings.duration);
  return fmt::format(R"({{"named":{},"resyncs":{},"seconds":{:.4f},"versions":{}}})", settings.servers, resyncs,
                     seconds_between(start, Clock::now()), versions);
}

}  // namespace fairlead::updates
