// A backend whose behaviour is set: one loop that accepts connections and answers requests.
//
// Lives on the loop's thread. stop() lets each connection finish the request that it has; run() returns when all are
// gone.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "base/intrusive_list.h"
#include "codec/http1_request.h"
#include "net/acceptor.h"
#include "net/buffer.h"
#include "origin/admission.h"
#include "origin/response.h"
#include "origin/settings.h"
#include "runtime/scope.h"
#include "runtime/task.h"

namespace fairlead::origin {

class Origin {
 public:
  Origin(runtime::Loop& loop, const Settings& settings);

  // Takes over a listening socket.
  void listen(int fd);
  // Accepts nothing new and closes connections that have no request.
  void stop();
  bool is_finished() const { return stopping_ && scope_.running() == 0; }
  // Most requests at a time, each from its head until its response was written; health checks do not count.
  size_t most_in_flight() const { return most_in_flight_; }

 private:
  // One connection, and whether it may be closed now.
  struct Session : base::ListNode<> {
    Session(runtime::Loop& loop, int fd, net::BufferPool& pool) : stream(loop, fd), input(pool) {}
    net::Stream stream;
    net::Buffer input;
    bool idle = true;
  };
  // What is kept of a request's head when its bytes are gone.
  struct Request {
    http::BodyFraming body;
    bool keep_alive = false;
    bool expect_continue = false;
    bool head_only = false;
    bool is_health_check = false;
    // From the query `latency_ms=N`, which overrides the settings.
    std::optional<runtime::Duration> latency;
  };
  enum class HeadEnd : unsigned char { kRequest, kClosed, kMalformed };

  runtime::Task<void> accept_loop(net::Acceptor& acceptor);
  runtime::Task<void> serve(int fd);
  runtime::Task<void> serve_http(Session& session);
  // A request whose head was read. Whether the connection may go on.
  runtime::Task<bool> serve_request(Session& session, const Request& request);
  runtime::Task<void> serve_echo(Session& session);
  runtime::Task<HeadEnd> read_head(Session& session, Request& request);
  // The bytes of the body, or nothing where the connection or the framing broke.
  runtime::Task<std::optional<uint64_t>> read_body(Session& session, const Request& request);
  runtime::Task<void> work(const Request& request);
  // Whether the connection may go on.
  runtime::Task<bool> answer(Session& session, const Request& request, uint64_t body_bytes);

  Request facts_of(const http::RequestHead& head) const;
  runtime::Duration draw_latency();
  bool draw(double share);

  runtime::Loop& loop_;
  const Settings& settings_;
  Responses responses_;
  Admission admission_;
  net::BufferPool pool_;
  http::RequestHead head_;  // scratch
  std::minstd_rand random_{std::random_device{}()};
  std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
  base::List<Session> sessions_;
  size_t in_flight_ = 0;
  size_t most_in_flight_ = 0;
  bool stopping_ = false;
  runtime::Scope scope_;
};

}  // namespace fairlead::origin
