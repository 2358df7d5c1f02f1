// One end of an HTTP/1 connection, client or origin, written apart from the codec that it tests.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/stream.h"
#include "runtime/task.h"
#include "test_support/sim_driver.h"

namespace fairlead::sim {

struct PeerHead {
  std::string start_line;
  // Names in lower case; a name that comes twice keeps its last value.
  std::map<std::string, std::string> fields;

  const std::string* find(const std::string& name) const {
    auto found = fields.find(name);
    return found == fields.end() ? nullptr : &found->second;
  }
  // Of a response.
  int status() const { return std::atoi(start_line.c_str() + 9); }
  // Content-Length or chunked. (A response without either lasts until the connection ends.)
  bool has_framing() const { return find("content-length") || find("transfer-encoding"); }
};

struct PeerBody {
  std::string bytes;
  bool complete = false;
};

class HttpPeer {
 public:
  // How long it waits at most, for anything: what takes longer hangs.
  static constexpr runtime::Duration kPatience = std::chrono::hours(1);

  HttpPeer(runtime::Loop& loop, int fd) : stream_(loop, fd) {}
  // Connects; connected() says when, and whether.
  HttpPeer(test_support::SimHost& host, const config::Endpoint& to);
  runtime::Task<bool> connected();

  net::Stream& stream() { return stream_; }
  // Bytes that were read and not used.
  const std::string& unread() const { return unread_; }
  bool timed_out() const { return timed_out_; }

  // False: the connection is broken.
  runtime::Task<bool> send(std::string bytes);
  // Nothing: the connection ended before the head did.
  runtime::Task<std::optional<PeerHead>> read_head();
  // Of a message with this head; `until_close` where it has no framing, and nothing otherwise.
  runtime::Task<PeerBody> read_body(const PeerHead& head, bool until_close);
  // All that comes until the end.
  runtime::Task<PeerBody> read_to_end();

 private:
  // Reads once; false at the end.
  runtime::Task<bool> fill();
  runtime::Task<std::optional<std::string>> read_line();
  runtime::Task<PeerBody> read_sized(size_t size);
  runtime::Task<PeerBody> read_chunks();

  net::Stream stream_;
  std::string unread_;
  std::vector<char> room_ = std::vector<char>(16'384);
  bool timed_out_ = false;
  bool broken_ = false;
  bool ended_cleanly_ = false;
};

}  // namespace fairlead::sim
