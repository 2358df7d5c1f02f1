#include "listener/open_listener.h"

#include <algorithm>

#include "proxy/client.h"
#include "proxy/http_session.h"
#include "proxy/tcp_session.h"
#include "runtime/sleep.h"

namespace fairlead::listener {
namespace {
// Out of descriptors or memory: what frees some is the end of other connections, which needs no more than a moment.
constexpr runtime::Duration kExhaustedPause = std::chrono::milliseconds(20);
}  // namespace

OpenListener::OpenListener(proxy::Context& context, base::Ref<const config::Listener> record,
                           std::shared_ptr<proxy::SharedListener> of_all_workers)
    : context_(context), shared_(std::move(record), std::move(of_all_workers)), running_(context.loop) {}

void OpenListener::accept_on(BoundSocket socket) { running_.spawn(accept_until_cancelled(std::move(socket))); }

runtime::Task<void> OpenListener::accept_until_cancelled(BoundSocket socket) {
  Accepting accepting(context_.loop, socket);
  accepting_.push_back(accepting);
  while (true) {
    auto accepted = co_await accepting.acceptor.accept();
    if (accepted) {
      admit(*accepted);
      continue;
    }
    if (accepting.acceptor.channel().is_cancelled()) break;
    if (accepted.error() != net::IoError::kExhausted) continue;  // that one was gone before we took it
    co_await runtime::Sleep(context_.loop, context_.loop.now() + kExhaustedPause);
  }
  if (!accepting.leave_what_waits) take_what_waits(accepting);
  accepting.unlink();
}

void OpenListener::take_what_waits(Accepting& accepting) {
  net::Accepted accepted;
  while ((accepted.fd = accepting.acceptor.channel().try_accept(accepted.from, accepted.from_size)) >= 0) {
    admit(accepted);
  }
}

void OpenListener::admit(const net::Accepted& accepted) {
  shared_.refresh(context_.upstreams.snapshot());
  uint32_t limit = shared_.record->effective_max_connections();
  uint32_t open = shared_.of_all_workers->open.fetch_add(1, std::memory_order_relaxed);
  if (limit != 0 && open >= limit) {
    shared_.of_all_workers->open.fetch_sub(1, std::memory_order_relaxed);
    ++shared_.refused;
    context_.loop.driver().close(accepted.fd);
    return;
  }
  ++shared_.accepted;
  bool http = shared_.record->protocol == config::Protocol::kHttp;
  running_.spawn(http ? proxy::serve_http(context_, shared_, accepted) : proxy::serve_tcp(context_, shared_, accepted));
}

void OpenListener::close_address(const config::Endpoint& endpoint) {
  accepting_.for_each([&](Accepting& accepting) {
    if (accepting.endpoint == endpoint) accepting.acceptor.cancel();
  });
}

void OpenListener::leave_address(const config::Endpoint& endpoint) {
  accepting_.for_each([&](Accepting& accepting) {
    if (accepting.endpoint == endpoint) accepting.leave_what_waits = true;
  });
  close_address(endpoint);
}

std::vector<OpenListener::SocketCopy> OpenListener::copy_sockets() {
  std::vector<SocketCopy> copies;
  shared_.refresh(context_.upstreams.snapshot());
  const config::Listener& record = *shared_.record;
  accepting_.for_each([&](Accepting& accepting) {
    auto at = std::ranges::find(record.bound, accepting.endpoint) - record.bound.begin();
    if (accepting.acceptor.channel().is_cancelled() || at == std::ssize(record.bound)) return;  // it is closing
    copies.push_back({.wanted = record.bind[static_cast<size_t>(at)].to_string(),
                      .bound = accepting.endpoint,
                      .socket = base::Descriptor::copy_of(accepting.acceptor.channel().fd())});
  });
  return copies;
}

void OpenListener::finish(runtime::Duration idle_grace) {
  accepting_.for_each([](Accepting& accepting) { accepting.acceptor.cancel(); });
  shared_.finishing = true;
  shared_.idle_until = context_.loop.now() + idle_grace;
  shared_.clients.for_each([](proxy::Client& client) { client.finish(); });
}

void OpenListener::cut_off() {
  shared_.clients.for_each([](proxy::Client& client) { client.cancel(); });
}

observe::ListenerStatistics OpenListener::statistics() const {
  return {.uid = uid(),
          .name = shared_.record->name,
          .connections = shared_.connections,
          .accepted = shared_.accepted,
          .refused = shared_.refused,
          .rate_limited = shared_.rate_limited,
          .bad_requests = shared_.bad_requests,
          .unrouted = shared_.unrouted,
          .answered = shared_.answered};
}

}  // namespace fairlead::listener
