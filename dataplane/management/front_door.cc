#include "management/front_door.h"

#include <pthread.h>
#include <sys/socket.h>

#include <latch>
#include <string>
#include <thread>
#include <utility>

#include "config/endpoint.h"
#include "config/text.h"
#include "management/tls_door.h"
#include "net/acceptor.h"
#include "runtime/epoll_driver.h"
#include "runtime/scope.h"
#include "runtime/sleep.h"

namespace fairlead::management {
namespace {

// Out of descriptors: what frees some is the end of other connections.
constexpr runtime::Duration kExhaustedPause = std::chrono::milliseconds(20);
// At the end clients with TLS get what gRPC has said to them last, in so many steps of this length at most.
constexpr runtime::Duration kEndStep = std::chrono::milliseconds(20);
constexpr int kEndSteps = 50;
// So many are waited for handshakes that are under way.
constexpr int kShakingSteps = 25;

// As gRPC writes it.
std::string address_text(const net::Accepted& accepted) {
  const auto* address = reinterpret_cast<const sockaddr*>(&accepted.from);
  const char* family = address->sa_family == AF_INET6 ? "ipv6:" : "ipv4:";
  return config::concat(family, config::Endpoint::from_socket_address(address, accepted.from_size).to_string());
}

}  // namespace

class FrontDoor::Impl {
 public:
  Impl(const std::vector<Entrance>& entrances, std::shared_ptr<Credentials> credentials, Peers& peers, Counts& counts,
       std::function<void(int fd)> take)
      : entrances_(entrances), peers_(peers), take_(std::move(take)), loop_(driver_), accepting_(loop_) {
    if (credentials) tls_ = std::make_unique<TlsDoor>(loop_, std::move(credentials), peers, counts, take_);
    for (const Entrance& entrance : entrances_) {
      acceptors_.push_back(std::make_unique<net::Acceptor>(loop_, entrance.socket));
      accepting_.spawn(accept(*acceptors_.back(), entrance.speaks));
    }
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "management");
      loop_.run();
    });
  }

  ~Impl() {
    close();
    loop_.post_message([this] { ending_.spawn(end()); });
    thread_.join();
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    std::latch done(1);
    loop_.post_message([this, &done] {
      for (auto& acceptor : acceptors_) acceptor->cancel();
      ending_.spawn(end_accepting(done));
    });
    done.wait();
  }

  std::vector<base::Descriptor> copy_sockets() const {
    std::vector<base::Descriptor> copies;
    for (const Entrance& entrance : entrances_) copies.push_back(base::Descriptor::copy_of(entrance.socket));
    return copies;
  }

 private:
  runtime::Task<void> accept(net::Acceptor& acceptor, Speaks speaks) {
    while (true) {
      auto accepted = co_await acceptor.accept();
      if (accepted) {
        let_in(*accepted, speaks);
        continue;
      }
      if (acceptor.channel().is_cancelled()) co_return;
      if (accepted.error() != net::IoError::kExhausted) continue;  // that one was gone before we took it
      co_await runtime::Sleep(loop_, loop_.now() + kExhaustedPause);
    }
  }

  void let_in(const net::Accepted& accepted, Speaks speaks) {
    if (speaks == Speaks::kTls) return tls_->come_in(accepted.fd, address_text(accepted));
    if (speaks == Speaks::kUnix) {
      ucred user{};
      socklen_t size = sizeof user;
      if (::getsockopt(accepted.fd, SOL_SOCKET, SO_PEERCRED, &user, &size) == 0) peers_.note_user(user.uid);
    }
    take_(accepted.fd);
  }

  runtime::Task<void> end_accepting(std::latch& done) {
    co_await accepting_.join();
    if (tls_) {
      // Whoever has been let in may be a millisecond away from a call.
      for (int step = 0; step < kShakingSteps && tls_->is_shaking(); ++step) {
        co_await runtime::Sleep(loop_, loop_.now() + kEndStep);
      }
      tls_->close();
    }
    acceptors_.clear();
    done.count_down();
  }

  runtime::Task<void> end() {
    if (tls_) {
      for (int step = 0; step < kEndSteps && tls_->connections().running() > 0; ++step) {
        co_await runtime::Sleep(loop_, loop_.now() + kEndStep);
      }
      tls_->cut_off();
      co_await tls_->connections().join();
    }
    loop_.stop();
  }

  const std::vector<Entrance> entrances_;
  Peers& peers_;
  const std::function<void(int fd)> take_;
  runtime::EpollDriver driver_;
  runtime::Loop loop_;
  runtime::Scope accepting_;
  runtime::Scope ending_{loop_};
  std::unique_ptr<TlsDoor> tls_;
  std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
  bool closed_ = false;
  std::thread thread_;
};

FrontDoor::FrontDoor(const std::vector<Entrance>& entrances, std::shared_ptr<Credentials> credentials, Peers& peers,
                     Counts& counts, std::function<void(int fd)> take)
    : impl_(std::make_unique<Impl>(entrances, std::move(credentials), peers, counts, std::move(take))) {}

FrontDoor::~FrontDoor() = default;

void FrontDoor::close() { impl_->close(); }

std::vector<base::Descriptor> FrontDoor::copy_sockets() const { return impl_->copy_sockets(); }

}  // namespace fairlead::management
