// What all sessions of a worker share. The worker owns it; one thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/intrusive_list.h"
#include "base/random.h"
#include "codec/http1_writer.h"
#include "config/snapshot.h"
#include "http/cookies.h"
#include "http/head.h"
#include "net/buffer.h"
#include "observe/bad_requests.h"
#include "observe/statistics.h"
#include "proxy/forwarded_text.h"
#include "proxy/process_state.h"
#include "proxy/rates.h"
#include "runtime/loop.h"
#include "tls/worker.h"
#include "upstream/upstreams.h"

namespace fairlead::observe {
class AccessLog;
}

namespace fairlead::proxy {

class Client;

struct Context {
  // `shared` is one for all workers, and outlives them.
  Context(runtime::Loop& worker_loop, uint64_t seed, upstream::Shared& shared, std::string_view our_via_name)
      : loop(worker_loop),
        random(seed),
        upstreams(worker_loop, random, shared),
        tls(upstreams.tls()),
        via(our_via_name) {}

  runtime::Loop& loop;
  base::Random random;
  net::BufferPool buffers;
  upstream::Upstreams upstreams;
  tls::Worker& tls;
  // How this process calls itself: a request that comes back carries it.
  codec::ViaLine via;
  // Where the process has no limits: of this worker alone.
  ProcessState no_limits;
  // One for all workers; outlives them.
  ProcessState* process = &no_limits;
  // Null: no access log.
  observe::AccessLog* access_log = nullptr;
  // Names for clients' connections that want one, on this worker.
  uint64_t last_client_id = 0;
  // Which worker this is.
  unsigned worker = 0;

  // Scratch: filled by a parser, used before anything is awaited, filled again by somebody else.
  http::RequestHead request;
  http::ResponseHead response;
  // For what persistence changes in them, until they are written.
  http::CookieText cookie_text;
  ForwardedText forwarded;
  // A path as a listener spells it, and as a route has it rewritten; the same.
  std::string path_text;
  std::string rewritten_path;
  // The address that trusted proxies name, in its one spelling.
  std::string sender_text;

  // The world's time; looked at once a second.
  std::function<std::chrono::system_clock::time_point()> wall_clock = std::chrono::system_clock::now;

  // The Date line of this second, with its CR LF.
  std::string_view date_line() {
    follow_clock();
    return {date_line_, date_line_size_};
  }
  // Since 1970.
  uint32_t second() {
    follow_clock();
    return second_;
  }

 private:
  void follow_clock() {
    if (loop.now() >= second_until_) [[unlikely]]
      begin_second();
  }
  void begin_second();

  runtime::TimePoint second_until_;
  uint32_t second_ = 0;
  size_t date_line_size_ = 0;
  char date_line_[48];
};

// A listener as one worker sees it. Its sessions outlive the listener where they have something to finish.
struct ListenerContext {
  ListenerContext(base::Ref<const config::Listener> initial, std::shared_ptr<SharedListener> shared)
      : record(std::move(initial)),
        of_all_workers(std::move(shared)),
        rates(ListenerRates::of(*record, *of_all_workers)),
        is_guarded(guards(*record)) {}

  config::Slot slot() const { return record->slot; }
  config::Uid uid() const { return record->metadata.uid; }
  // Takes the record that the snapshot has now; the last one stays where the listener is gone.
  void refresh(const config::Snapshot& snapshot) {
    if (snapshot.revision == refreshed_to) [[likely]]
      return;
    refreshed_to = snapshot.revision;
    const config::Listener* now = snapshot.find_listener(slot(), uid());
    if (now && now != record.get()) take_record(*now);
  }
  void take_record(const config::Listener& now) {
    record = base::Ref(&now);
    rates = ListenerRates::of(now, *of_all_workers);
    is_guarded = guards(now);
  }
  static bool guards(const config::Listener& record) {
    return record.proxy_protocol.is_on() || record.access.is_on() || record.effective_max_connections_per_client() != 0;
  }

  base::Ref<const config::Listener> record;
  config::Revision refreshed_to = 0;
  // Each session ends with the request that it has. Those that have none may still begin one until `idle_until`.
  bool finishing = false;
  runtime::TimePoint idle_until = runtime::kNever;
  base::List<Client> clients;
  // Limits are one for all workers. The connections' is touched for a connection, not for a request.
  std::shared_ptr<SharedListener> of_all_workers;
  // Null where there are none.
  std::unique_ptr<ListenerRates> rates;
  // More is asked of a connection than that there are not too many.
  bool is_guarded = false;
  uint64_t connections = 0;
  uint64_t accepted = 0;
  // Of all refusals.
  uint64_t refused = 0;
  observe::Refusals refusals{};
  uint64_t too_slow = 0;
  uint64_t rate_limited = 0;
  observe::BadRequests bad_requests;
  // Requests and connections that no backend served: no route, a loop, a backend that is gone.
  uint64_t unrouted = 0;
  // Requests that a route answered by itself.
  uint64_t answered = 0;
  uint64_t tls_full = 0;
  uint64_t tls_resumed = 0;
  uint64_t tls_failed = 0;
};

}  // namespace fairlead::proxy
