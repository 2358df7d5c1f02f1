// All listeners of a worker.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "listener/open_listener.h"

namespace fairlead::listener {

class Listeners {
 public:
  explicit Listeners(proxy::Context& context) : context_(context), leaving_(context.loop) {}

  // Opens the listener, or adds sockets to one that is open.
  void accept(base::Ref<const config::Listener> record, std::vector<BoundSocket> sockets,
              std::shared_ptr<proxy::SharedListener> of_all_workers);
  void close_address(config::Uid listener, const config::Endpoint& endpoint);
  // Of whichever listener it is.
  void leave_address(const config::Endpoint& endpoint);
  // Of all listeners that accept: copy_sockets().
  void copy_sockets(const std::function<void(config::Uid, OpenListener::SocketCopy)>& take);
  // Stops accepting and lets sessions finish; then it is forgotten. `idle_grace`: as in OpenListener.
  void finish(config::Uid listener, runtime::Duration idle_grace);
  void finish_all(runtime::Duration idle_grace);
  // Connections without a request are closed.
  void shed();
  // What is still there is cancelled.
  void cut_off_all();
  // Until all that was told to finish has.
  auto join() { return leaving_.join(); }

  std::vector<observe::ListenerStatistics> statistics() const;

 private:
  OpenListener* find(config::Uid listener);
  runtime::Task<void> see_off(OpenListener& listener);

  proxy::Context& context_;
  std::vector<std::unique_ptr<OpenListener>> open_;
  runtime::Scope leaving_;
};

}  // namespace fairlead::listener
