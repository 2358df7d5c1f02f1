// One client: at most one connection to the target, and one request at a time over it.
//
// Lives in the frame of a coroutine on the loop's thread. What is shared by all clients is in Clients.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "codec/http1_response.h"
#include "generator/failures.h"
#include "generator/messages.h"
#include "generator/target.h"
#include "net/buffer.h"
#include "net/stream.h"
#include "runtime/task.h"

namespace fairlead::generator {

struct Clients {
  Clients(runtime::Loop& owner, const Target& fixed)
      : loop(owner), target(fixed), messages(fixed), address(fixed.address.to_socket_address()) {}
  runtime::Loop& loop;
  const Target& target;
  Messages messages;
  config::SocketAddress address;
  net::BufferPool buffers;
  http::ResponseHead head;  // scratch
  uint64_t connects = 0;
  uint64_t bytes_received = 0;
  uint64_t bytes_uploaded = 0;
};

// Nothing: the origin's own whole answer came.
using Outcome = std::optional<Failure>;

class Client {
 public:
  explicit Client(Clients& clients) : clients_(clients), input_(clients.buffers) {}

  // Sends the request that is due and reads the answer; connects before where it has to.
  runtime::Task<Outcome> perform(const Job& job);

 private:
  // What is kept of a response's head when its bytes are gone.
  struct Answer {
    int status = 0;
    http::BodyFraming body;
    bool keep_alive = false;
    bool from_origin = false;
    std::optional<uint64_t> upload_bytes;
  };

  bool is_usable() const;
  runtime::Task<Outcome> connect(runtime::TimePoint deadline);
  runtime::Task<Outcome> exchange_http(const Job& job, runtime::TimePoint deadline);
  runtime::Task<Outcome> exchange_tcp(runtime::TimePoint deadline);
  runtime::Task<Outcome> upload(runtime::TimePoint deadline);
  // Parts are sent in one call.
  using Parts = std::array<std::string_view, 3>;
  runtime::Task<Outcome> write(Parts parts, runtime::TimePoint deadline);
  runtime::Task<Outcome> read_more(runtime::TimePoint deadline);
  runtime::Task<Outcome> read_head(Kind kind, runtime::TimePoint deadline, Answer& answer);
  runtime::Task<Outcome> read_body(const Answer& answer, runtime::TimePoint deadline);
  Outcome judge(const Job& job, const Answer& answer) const;

  Clients& clients_;
  std::optional<net::Stream> stream_;
  net::Buffer input_;
  runtime::TimePoint last_used_;
  // The last answer allows another request on the connection.
  bool reusable_ = false;
};

}  // namespace fairlead::generator
