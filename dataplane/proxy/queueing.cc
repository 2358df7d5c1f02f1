#include "proxy/queueing.h"

#include <utility>

namespace fairlead::proxy {
namespace {

using Admitted = std::expected<upstream::Admission, FaultOrNull>;

upstream::Waiting::Terms terms_of(const Queued& queued) {
  return {.priority = queued.target.priority,
          .deadline = queued.client.now() + queued.backend.settings().queue_timeout(),
          .leaves_at_end_of_input = queued.client.settings().protocol == config::Protocol::kHttp};
}

const config::Server* preferred(const Queued& queued, const config::BackendSnapshot& members) {
  return queued.persistent ? queued.persistent->preferred(members) : nullptr;
}

}  // namespace

runtime::Task<Admitted> wait_for_place(Queued queued) {
  observe::Counters& counters = queued.backend.counters();
  if (queued.backend.settings().queue.effective_max_waiting() == 0) co_return std::unexpected(&faults::kAllFull);
  upstream::Waiting waiting(queued.backend.line(), queued.client.stream().channel(), terms_of(queued));
  if (!queued.backend.enter(waiting, queued.members, preferred(queued, queued.members))) {
    ++counters.queue_refused;
    co_return std::unexpected(&faults::kQueueFull);
  }
  ++counters.waited;
  while (true) {
    co_await waiting.woken();
    if (waiting.client_has_left()) co_return std::unexpected(&faults::kClientGone);
    const config::BackendSnapshot* members = queued.client.context().upstreams.find(queued.target.backend).members;
    if (!members) co_return std::unexpected(&faults::kNoBackend);
    upstream::Admission admission =
        queued.backend.admit_waiting(waiting, *members, queued.tried, queued.key, preferred(queued, *members));
    if (admission) co_return Admitted(std::move(admission));
    if (admission.refusal() == upstream::Admission::Refusal::kNoServer) co_return std::unexpected(&faults::kNoServer);
    if (!waiting.is_over()) continue;
    ++counters.queue_timeouts;
    co_return std::unexpected(&faults::kQueueTimeout);
  }
}

}  // namespace fairlead::proxy
