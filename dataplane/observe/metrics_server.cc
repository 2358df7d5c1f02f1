#include "observe/metrics_server.h"

#include <pthread.h>
#include <unistd.h>

#include <thread>

#include "codec/http1_request.h"
#include "http/status.h"
#include "net/acceptor.h"
#include "net/buffer.h"
#include "net/socket.h"
#include "net/socket_file.h"
#include "observe/prometheus.h"
#include "runtime/epoll_driver.h"
#include "runtime/scope.h"
#include "runtime/sleep.h"

namespace fairlead::observe {
namespace {

using runtime::Task;

constexpr runtime::Duration kPatience = std::chrono::seconds(10);

// Waits for a page that is made elsewhere.
class AwaitPage {
 public:
  AwaitPage(runtime::Loop& loop, const MetricsServer::MakePage& make_page) : loop_(loop), make_page_(make_page) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    make_page_([this, waiting](MetricsServer::Page page) {
      loop_.post_message([this, waiting, page = std::move(page)]() mutable {
        page_ = std::move(page);
        waiting.resume();
      });
    });
  }
  std::string await_resume() { return page_(); }

 private:
  runtime::Loop& loop_;
  const MetricsServer::MakePage& make_page_;
  MetricsServer::Page page_;
};

struct Answer {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
};

std::string head_of(const Answer& answer) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " ";
  head += http::reason_phrase(answer.status);
  head += "\r\nContent-Type: ";
  head += answer.content_type;
  head += "\r\nContent-Length: " + std::to_string(answer.body.size());
  head += "\r\nConnection: close\r\n\r\n";
  return head;
}

}  // namespace

class MetricsServer::Impl {
 public:
  Impl(int fd, net::SocketFile file, MakePage make_page)
      : bound_(net::bound_address(fd)),
        make_page_(std::move(make_page)),
        loop_(driver_),
        running_(loop_),
        acceptor_(loop_, fd),
        file_(std::move(file)) {
    running_.spawn(accept());
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "metrics");
      loop_.run();
    });
  }

  ~Impl() {
    loop_.post_message([this] {
      acceptor_.cancel();
      asking_.for_each([](Client& client) { client.stream.cancel(); });
      answered_.for_each([](Client& client) { client.stream.cancel(); });
      ending_.spawn(end());
    });
    thread_.join();
  }

  const config::Endpoint& bound() const { return bound_; }
  base::Descriptor copy_of_socket() { return base::Descriptor::copy_of(acceptor_.channel().fd()); }
  void leave() { file_.forget(); }

 private:
  struct Client : base::ListNode<> {
    Client(MetricsServer::Impl& of_server, int fd) : server(of_server), stream(of_server.loop_, fd) { ++server.open_; }
    ~Client() { leave(); }
    // It is not counted any more, and cannot be asked to make room.
    void leave() {
      if (is_linked()) --server.open_;
      unlink();
    }
    MetricsServer::Impl& server;
    net::Stream stream;
  };

  bool make_room() {
    Client* silent = asking_.front();
    if (!silent) return false;
    silent->leave();
    silent->stream.cancel();
    return true;
  }

  Task<void> accept() {
    while (true) {
      auto accepted = co_await acceptor_.accept();
      if (!accepted && acceptor_.channel().is_cancelled()) co_return;
      if (!accepted) {
        co_await runtime::Sleep(loop_, loop_.now() + std::chrono::milliseconds(20));
      } else if (open_ >= kConnectionsMax && !make_room()) {
        ::close(accepted->fd);
      } else {
        running_.spawn(serve(accepted->fd));
      }
    }
  }

  Task<void> end() {
    co_await running_.join();
    loop_.stop();
  }

  Task<void> serve(int fd) {
    Client client(*this, fd);
    asking_.push_back(client);
    net::Buffer in(buffers_);
    http::RequestHead request;
    codec::HeadResult head;
    runtime::TimePoint deadline = loop_.now() + kPatience;
    while (head.incomplete()) {
      auto count = co_await client.stream.read_some(in.room(), deadline);
      if (!count || *count == 0) co_return;
      client.unlink();
      asking_.push_back(client);
      in.commit(*count);
      head = codec::parse_request_head(in.unread(), {}, request);
    }
    client.unlink();
    answered_.push_back(client);
    Answer answer;
    if (head.refused()) {
      answer = {.status = head.refusal->status, .body = std::string(head.refusal->cause) + "\n"};
    } else if (request.method != http::Method::kGet && request.method != http::Method::kHead) {
      answer = {.status = 405, .body = "only GET and HEAD\n"};
    } else if (request.path != "/metrics") {
      answer = {.status = 404, .body = "metrics are at /metrics\n"};
    } else {
      answer.content_type = kPrometheusContentType;
      answer.body = co_await AwaitPage(loop_, make_page_);
    }
    std::string text = head_of(answer);
    if (request.method != http::Method::kHead) text += answer.body;
    auto written = co_await client.stream.write_all(text, kPatience);
    if (!written) co_return;
    // Until the client has seen it and closes, or has had its time.
    client.stream.shutdown_write();
    in.release();
    auto rest = co_await client.stream.read_some(in.room(), loop_.now() + std::chrono::seconds(1));
    (void)rest;
  }

  const config::Endpoint bound_;
  const MakePage make_page_;
  runtime::EpollDriver driver_;
  runtime::Loop loop_;
  net::BufferPool buffers_;
  // Who has said nothing for the longest time first.
  base::List<Client> asking_;
  base::List<Client> answered_;
  size_t open_ = 0;
  runtime::Scope running_;
  runtime::Scope ending_{loop_};
  net::Acceptor acceptor_;
  net::SocketFile file_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::start(const config::Endpoint& address,
                                                                    MakePage make_page) {
  absl::StatusOr<int> fd = net::listen_on(address);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<MetricsServer>(
      new MetricsServer(std::make_unique<Impl>(*fd, net::SocketFile(net::bound_address(*fd)), std::move(make_page))));
}

std::unique_ptr<MetricsServer> MetricsServer::start_on(base::Descriptor listening, net::SocketFile file,
                                                       MakePage make_page) {
  return std::unique_ptr<MetricsServer>(
      new MetricsServer(std::make_unique<Impl>(listening.release(), std::move(file), std::move(make_page))));
}

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::~MetricsServer() = default;
const config::Endpoint& MetricsServer::bound() const { return impl_->bound(); }
base::Descriptor MetricsServer::copy_of_socket() const { return impl_->copy_of_socket(); }
void MetricsServer::leave() { impl_->leave(); }

}  // namespace fairlead::observe
