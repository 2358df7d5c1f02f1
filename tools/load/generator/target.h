// What is asked of the other side, and what counts as its answer. Fixed for the life of the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "config/endpoint.h"
#include "runtime/time.h"

namespace fairlead::generator {

struct Target {
  config::Endpoint address;
  std::string host;
  std::string path = "/";
  int expected_status = 200;
  // From the moment when the request was due.
  runtime::Duration timeout = std::chrono::seconds(10);

  // Query latency_ms of requests that are to be slow; fairlead-origin obeys it.
  runtime::Duration slow_latency{};
  size_t upload_bytes = 65536;
  std::string upload_method = "POST";
  bool upload_chunked = false;
  // An upload is sent in pieces over this time.
  runtime::Duration upload_duration{};

  // Not HTTP: `payload_bytes` are sent and must come back.
  bool tcp_echo = false;
  size_t payload_bytes = 34;
};

// What a request is like.
enum class Kind : unsigned char { kPlain, kSlow, kUpload };
inline constexpr size_t kKinds = 3;

struct Job {
  // When it is due: latency counts from here, whenever it is really sent.
  runtime::TimePoint due;
  Kind kind = Kind::kPlain;
  bool new_connection = false;
};

}  // namespace fairlead::generator
