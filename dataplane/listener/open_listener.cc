#include "listener/open_listener.h"

#include <algorithm>

#include "net/tcp_options.h"
#include "proxy/client.h"
#include "proxy/entrance.h"
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
    : context_(context),
      shared_(std::move(record), std::move(of_all_workers)),
      tcp_(shared_.record->tcp),
      running_(context.loop) {}

void OpenListener::accept_on(BoundSocket socket) { running_.spawn(accept_until_cancelled(std::move(socket))); }

runtime::Task<void> OpenListener::accept_until_cancelled(BoundSocket socket) {
  Accepting accepting(context_.loop, socket);
  accepting_.push_back(accepting);
  net::change_tcp_options(context_.loop.driver(), accepting.acceptor.channel().fd(), !socket.endpoint.is_unix(), {},
                          tcp_);
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
  look_at_record(&accepted);
  proxy::Arrival arrival{.accepted = accepted};
  if (!proxy::may_enter(context_, shared_, arrival)) {
    context_.loop.driver().close(accepted.fd);
    return;
  }
  ++shared_.accepted;
  bool http = shared_.record->protocol == config::Protocol::kHttp;
  running_.spawn(http ? proxy::serve_http(context_, shared_, arrival) : proxy::serve_tcp(context_, shared_, arrival));
}

// A socket was accepted with the options that its listening socket had.
void OpenListener::look_at_record(const net::Accepted* accepted) {
  shared_.refresh(context_.upstreams.snapshot());
  const config::ListenerTcp& tcp = shared_.record->tcp;
  if (tcp == tcp_) [[likely]]
    return;
  runtime::Driver& driver = context_.loop.driver();
  accepting_.for_each([&](Accepting& accepting) {
    net::change_tcp_options(driver, accepting.acceptor.channel().fd(), !accepting.endpoint.is_unix(), tcp_, tcp);
  });
  if (accepted && accepted->from.ss_family != AF_UNIX) net::set_tcp_options(driver, accepted->fd, tcp.connections);
  tcp_ = tcp;
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

void OpenListener::shed() {
  shared_.clients.for_each([](proxy::Client& client) { client.shed(); });
}

void OpenListener::cut_off() {
  shared_.clients.for_each([](proxy::Client& client) { client.cut_off(); });
}

observe::ListenerStatistics OpenListener::statistics() const {
  return {.uid = uid(),
          .name = shared_.record->name,
          .connections = shared_.connections,
          .accepted = shared_.accepted,
          .refused = shared_.refused,
          .refusals = shared_.refusals,
          .rate_limited = shared_.rate_limited,
          .bad_requests = shared_.bad_requests,
          .unrouted = shared_.unrouted,
          .answered = shared_.answered,
          .too_slow = shared_.too_slow,
          .tls_full = shared_.tls_full,
          .tls_resumed = shared_.tls_resumed,
          .tls_failed = shared_.tls_failed};
}

}  // namespace fairlead::listener
