#include "management/statistics_stream.h"

#include <algorithm>
#include <utility>

#include "api/encode.h"
#include "api/field_checker.h"
#include "config/text.h"

namespace fairlead::management {
namespace {

constexpr config::Duration kIntervalMin = std::chrono::milliseconds(10);
constexpr config::Duration kIntervalMax = std::chrono::hours(1);

uint64_t failed(const observe::Counters& counters, observe::Failure failure) {
  return counters.failed[static_cast<size_t>(failure)];
}

void encode(const observe::Histogram& histogram, v1::Histogram& out) {
  for (int bucket = 0; bucket < observe::Histogram::kBuckets; ++bucket) {
    uint64_t count = histogram.bucket_count(bucket);
    if (count == 0) continue;
    v1::Bucket& encoded = *out.add_buckets();
    encoded.set_upper_us(observe::Histogram::upper_bound(bucket));
    encoded.set_count(count);
  }
  out.set_sum_us(histogram.sum());
}

void encode(const observe::Counters& counters, v1::Counters& out) {
  out.set_started(counters.started);
  out.set_finished(counters.finished);
  out.set_failed_connect(failed(counters, observe::Failure::kConnect));
  out.set_failed_timeout(failed(counters, observe::Failure::kTimeout));
  out.set_failed_response(failed(counters, observe::Failure::kResponse));
  out.set_failed_no_server(failed(counters, observe::Failure::kNoServer));
  out.set_failed_client(failed(counters, observe::Failure::kClient));
  out.set_failed_full(failed(counters, observe::Failure::kFull));
  out.set_retried(counters.retried);
  out.set_retries_refused(counters.retries_refused);
  out.set_hedged(counters.hedged);
  out.set_hedges_won(counters.hedges_won);
  out.set_outrun(counters.outrun);
  out.set_persisted(counters.persisted);
  out.set_persistence_lost(counters.persistence_lost);
  out.set_persistence_expired(counters.persistence_expired);
  out.set_in_flight(counters.in_flight);
  out.set_queued(counters.queued);
  out.set_waited(counters.waited);
  out.set_queue_timeouts(counters.queue_timeouts);
  out.set_queue_refused(counters.queue_refused);
  out.set_circuit_refused(counters.circuit_refused);
  out.set_warmed(counters.warmed);
  out.set_warming_failed(counters.warming_failed);
  out.set_purged(counters.purged);
  out.set_idle(counters.idle);
  for (uint64_t count : counters.statuses) out.add_statuses(count);
  out.set_bytes_from_clients(counters.bytes_from_clients);
  out.set_bytes_to_clients(counters.bytes_to_clients);
  encode(counters.latency, *out.mutable_latency());
  out.set_cut_off(counters.cut_off);
}

// Sorted by uid.
template <typename T>
const T* find(const std::vector<T>& sorted, config::Uid uid) {
  auto at = std::ranges::lower_bound(sorted, uid, {}, &T::uid);
  return at != sorted.end() && at->uid == uid ? &*at : nullptr;
}

observe::Counters difference(const observe::Counters& end, const observe::Counters* start) {
  return start ? end.since(*start) : end;
}

void encode_servers(const observe::BackendStatistics* start, const observe::BackendStatistics& end,
                    const absl::flat_hash_map<config::Uid, v1::Lifecycle>& lifecycles, v1::BackendStatistics& out) {
  for (const observe::ServerStatistics& server : end.servers) {
    const observe::ServerStatistics* before = start ? find(start->servers, server.uid) : nullptr;
    v1::ServerStatistics& encoded = *out.add_servers();
    encoded.set_name(server.name);
    encoded.set_uid(server.uid);
    encode(difference(server.counters, before ? &before->counters : nullptr), *encoded.mutable_counters());
    auto lifecycle = lifecycles.find(server.uid);
    encoded.set_lifecycle(lifecycle == lifecycles.end() ? v1::LIFECYCLE_READY : lifecycle->second);
  }
}

void encode_backend(const Sample& start, const observe::BackendStatistics& end, const Sample& sample, bool servers,
                    v1::BackendStatistics& out) {
  const observe::BackendStatistics* before = find(start.statistics.backends, end.uid);
  out.set_backend(end.name);
  encode(difference(end.counters, before ? &before->counters : nullptr), *out.mutable_counters());
  if (servers) encode_servers(before, end, sample.lifecycles, out);
}

// Where one worker has let go of a listener and another has not, a count can be behind an earlier one, as in
// Counters::since().
uint64_t counted_since(uint64_t before, uint64_t now) { return now - std::min(now, before); }

void encode_refusals(const observe::ListenerStatistics* before, const observe::ListenerStatistics& now,
                     v1::ListenerStatistics& out) {
  auto refused = [&](observe::Refusal cause) {
    auto index = static_cast<size_t>(cause);
    return counted_since(before ? before->refusals[index] : 0, now.refusals[index]);
  };
  out.set_connections_denied(refused(observe::Refusal::kDenied));
  out.set_connections_over_client_limit(refused(observe::Refusal::kClientFull));
  out.set_proxy_header_failures(refused(observe::Refusal::kUntrusted) + refused(observe::Refusal::kProxyHeader));
  out.set_too_slow(counted_since(before ? before->too_slow : 0, now.too_slow));
}

void encode_listeners(const Sample& start, const Sample& end, v1::StreamStatisticsResponse& out) {
  for (const observe::ListenerStatistics& listener : end.statistics.listeners) {
    const observe::ListenerStatistics* before = find(start.statistics.listeners, listener.uid);
    v1::ListenerStatistics& encoded = *out.add_listeners();
    encoded.set_listener(listener.name);
    encoded.set_connections(listener.connections);
    encoded.set_connections_accepted(counted_since(before ? before->accepted : 0, listener.accepted));
    encoded.set_connections_refused(counted_since(before ? before->refused : 0, listener.refused));
    encoded.set_rate_limited(counted_since(before ? before->rate_limited : 0, listener.rate_limited));
    encode_refusals(before, listener, encoded);
  }
}

}  // namespace

void encode_interval(const Sample& start, const Sample& end, const absl::flat_hash_set<std::string>& names,
                     bool servers, v1::StreamStatisticsResponse& out) {
  api::encode(start.time, *out.mutable_start());
  api::encode(end.time, *out.mutable_end());
  out.set_version(end.version);
  absl::flat_hash_set<config::Uid> listed;
  auto wanted = [&](const std::string& name) { return names.empty() || names.contains(name); };
  // Those that exist, also where no worker has used them yet; then those that are gone and still finish something.
  for (const store::BackendView& backend : end.backends) {
    if (!wanted(backend.record->name)) continue;
    v1::BackendStatistics& encoded = *out.add_backends();
    config::Uid uid = backend.record->metadata.uid;
    const observe::BackendStatistics* statistics = find(end.statistics.backends, uid);
    observe::BackendStatistics unused{.uid = uid, .name = backend.record->name, .counters = {}, .servers = {}};
    encode_backend(start, statistics ? *statistics : unused, end, servers, encoded);
    encoded.set_backend(backend.record->name);
    encoded.set_eligible_servers(backend.eligible);
    encoded.set_panic(backend.use.panic);
    encoded.set_on_backups(backend.use.on_backups);
    if (backend.discovery) encoded.set_discovered_servers(static_cast<uint32_t>(backend.discovery->servers));
    listed.insert(uid);
  }
  for (const observe::BackendStatistics& backend : end.statistics.backends) {
    if (!wanted(backend.name) || listed.contains(backend.uid)) continue;
    encode_backend(start, backend, end, servers, *out.add_backends());
  }
  encode_listeners(start, end, out);
}

void StatisticsStream::begin() {
  if (request_.has_interval()) {
    std::expected<config::Duration, std::string> interval = api::to_duration(request_.interval());
    if (!interval) return finish(invalid("interval: " + interval.error()));
    if (config::Problem problem = config::check_duration(*interval, kIntervalMin, kIntervalMax)) {
      return finish(invalid("interval: " + *problem));
    }
    interval_ = *interval;
  }
  for (const std::string& name : request_.backends()) {
    if (config::Problem problem = config::check_name(name)) return finish(invalid("backends: " + *problem));
    names_.insert(name);
  }
  due_ = Executor::Clock::now();
  take_sample();
}

// The store is asked after the workers, so that a backend that they name is known or was deleted.
void StatisticsStream::take_sample() {
  if (finished()) return;
  auto self = std::static_pointer_cast<StatisticsStream>(shared_from_this());
  context().collector.collect(request_.servers(), [self](observe::Statistics statistics) {
    Sample sample{.time = std::chrono::system_clock::now(),
                  .version = 0,
                  .statistics = std::move(statistics),
                  .backends = {},
                  .lifecycles = {}};
    store::Store::Posted posted = self->context().store.read([self, sample = std::move(sample)](
                                                                 store::Reader& reader) mutable {
      sample.version = reader.version();
      sample.backends = reader.backends();
      sample.lifecycles = reader.lifecycles();
      self->context().executor.post([self, sample = std::move(sample)]() mutable { self->sampled(std::move(sample)); });
    });
    if (posted == store::Store::Posted::kYes) return;
    self->context().executor.post([self, posted] { self->finish(to_status(posted)); });
  });
}

void StatisticsStream::sampled(Sample sample) {
  if (!last_) {
    last_ = std::move(sample);
    return wait();
  }
  end_ = std::move(sample);
  // A reader that is behind gets a longer interval, never a gap: the next sample is taken when this one is on its way.
  pump();
}

bool StatisticsStream::next(v1::StreamStatisticsResponse& response) {
  if (!end_) return false;
  encode_interval(*last_, *end_, names_, request_.servers(), response);
  last_ = std::exchange(end_, std::nullopt);
  wait();
  return true;
}

void StatisticsStream::wait() {
  due_ = std::max(due_ + interval_, Executor::Clock::now());
  std::weak_ptr<StatisticsStream> weak = std::static_pointer_cast<StatisticsStream>(shared_from_this());
  context().executor.post_at(due_, [weak] {
    if (std::shared_ptr<StatisticsStream> stream = weak.lock()) stream->take_sample();
  });
}

}  // namespace fairlead::management
