#include "management/front_door.h"

#include <pthread.h>

#include <thread>

#include "net/acceptor.h"
#include "runtime/epoll_driver.h"
#include "runtime/scope.h"
#include "runtime/sleep.h"

namespace fairlead::management {
namespace {

// Out of descriptors: what frees some is the end of other connections.
constexpr runtime::Duration kExhaustedPause = std::chrono::milliseconds(20);

}  // namespace

class FrontDoor::Impl {
 public:
  Impl(const std::vector<int>& listening, std::function<void(int fd)> take)
      : sockets_(listening), take_(std::move(take)), loop_(driver_), accepting_(loop_) {
    for (int fd : listening) acceptors_.push_back(std::make_unique<net::Acceptor>(loop_, fd));
    for (auto& acceptor : acceptors_) accepting_.spawn(accept(*acceptor));
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "management");
      loop_.run();
    });
  }

  ~Impl() {
    loop_.post_message([this] {
      for (auto& acceptor : acceptors_) acceptor->cancel();
      ending_.spawn(end());
    });
    thread_.join();
  }

  std::vector<base::Descriptor> copy_sockets() const {
    std::vector<base::Descriptor> copies;
    for (int fd : sockets_) copies.push_back(base::Descriptor::copy_of(fd));
    return copies;
  }

 private:
  runtime::Task<void> accept(net::Acceptor& acceptor) {
    while (true) {
      auto accepted = co_await acceptor.accept();
      if (accepted) {
        take_(accepted->fd);
        continue;
      }
      if (acceptor.channel().is_cancelled()) co_return;
      if (accepted.error() != net::IoError::kExhausted) continue;  // that one was gone before we took it
      co_await runtime::Sleep(loop_, loop_.now() + kExhaustedPause);
    }
  }

  runtime::Task<void> end() {
    co_await accepting_.join();
    loop_.stop();
  }

  const std::vector<int> sockets_;
  const std::function<void(int fd)> take_;
  runtime::EpollDriver driver_;
  runtime::Loop loop_;
  runtime::Scope accepting_;
  runtime::Scope ending_{loop_};
  std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
  std::thread thread_;
};

FrontDoor::FrontDoor(const std::vector<int>& listening, std::function<void(int fd)> take)
    : impl_(std::make_unique<Impl>(listening, std::move(take))) {}

FrontDoor::~FrontDoor() = default;

std::vector<base::Descriptor> FrontDoor::copy_sockets() const { return impl_->copy_sockets(); }

}  // namespace fairlead::management
