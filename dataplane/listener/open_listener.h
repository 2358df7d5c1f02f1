// A listener that is open on one worker: its sockets, its connections, from the first accept to the last session's end.
#pragma once

#include <memory>
#include <vector>

#include "base/descriptor.h"
#include "net/acceptor.h"
#include "observe/statistics.h"
#include "proxy/context.h"
#include "runtime/scope.h"

namespace fairlead::listener {

// One of a listener's sockets, for one worker.
struct BoundSocket {
  config::Endpoint endpoint;  // as bound
  int fd = -1;
};

class OpenListener {
 public:
  // `of_all_workers`: one for the listener.
  OpenListener(proxy::Context& context, base::Ref<const config::Listener> record,
               std::shared_ptr<proxy::SharedListener> of_all_workers);

  config::Uid uid() const { return shared_.uid(); }
  // Accepts on the socket, which it owns from now on.
  void accept_on(BoundSocket socket);
  // Stops accepting on one address. Connections that came in there go on.
  void close_address(const config::Endpoint& endpoint);
  // The same where another process has the sockets as well: what waits in their queues is left to it.
  void leave_address(const config::Endpoint& endpoint);
  // Of all sockets that it accepts on, for another process that is to do so as well.
  struct SocketCopy {
    std::string wanted;  // as in `bind`
    config::Endpoint bound;
    base::Descriptor socket;
  };
  std::vector<SocketCopy> copy_sockets();
  // Stops accepting; every HTTP session ends with the request that it has. Idle ones may begin one more, which is
  // answered with `Connection: close`, until `idle_grace` is over.
  void finish(runtime::Duration idle_grace);
  bool is_finishing() const { return shared_.finishing; }
  // Of those that wait for a request.
  void shed();
  // Every session's client is cancelled.
  void cut_off();
  // Until all sessions have ended, after finish().
  auto join() { return running_.join(); }
  size_t running() const { return running_.running(); }

  observe::ListenerStatistics statistics() const;

 private:
  struct Accepting : base::ListNode<> {
    Accepting(runtime::Loop& loop, BoundSocket socket) : endpoint(socket.endpoint), acceptor(loop, socket.fd) {}
    config::Endpoint endpoint;
    net::Acceptor acceptor;
    bool leave_what_waits = false;
  };

  runtime::Task<void> accept_until_cancelled(BoundSocket socket);
  void admit(const net::Accepted& accepted);
  // Takes the snapshot's record, and gives its options to the sockets; to `accepted` as well.
  void look_at_record(const net::Accepted* accepted);
  // Connections that the kernel has completed are ours: closing the socket would reset them.
  void take_what_waits(Accepting& accepting);

  proxy::Context& context_;
  proxy::ListenerContext shared_;
  // What the sockets have.
  config::ListenerTcp tcp_;
  base::List<Accepting> accepting_;
  runtime::Scope running_;
};

}  // namespace fairlead::listener
