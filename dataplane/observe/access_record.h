// What the access log says about one request (HTTP) or connection (TCP), and how.
//
// One line, fields as key=value in this order, separated by one space:
//
//   time=2026-01-31T12:00:00.123456Z client=192.0.2.1:4711 listener=web backend=app server=s1 method=GET target=/a?b
//   version=HTTP/1.1 status=200 bytes_in=0 bytes_out=34 head_us=12 wait_us=0 connect_us=180 first_byte_us=950
//   total_us=990 retries=0 end=complete
//
// What there was none of is "-": a server where none was found, a phase that was never reached, a method in TCP mode. A
// value stands bare where all its bytes are visible ASCII and none is a quotation mark, backslash or equals sign;
// otherwise, and where it is itself "-", it is in quotation marks, with \" and \\, \n, \r, \t, and \xNN for every other
// byte that is not printable ASCII. So a line is one line whatever a client sends, and fields can be split without
// guessing. A text that is longer than its limit is cut and ends in "...".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fairlead::observe {

struct AccessRecord {
  using Phase = std::optional<std::chrono::microseconds>;

  // When the request's first byte came.
  std::chrono::system_clock::time_point time;
  std::string_view client;
  std::string_view listener;
  std::string_view backend;
  // Of the last attempt.
  std::string_view server;
  std::string_view method;
  std::string_view target;
  std::string_view version;
  // 0: none was sent.
  uint16_t status = 0;
  // Passed on to the server and to the client, heads as they are written anew among them: 0 for what nobody else had a
  // part in, as an answer of our own.
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  // Each from the one before: the head received, a server found (or given by the queue), connected, first byte of the
  // response. Total: from the first byte to the end.
  Phase head;
  Phase wait;
  Phase connect;
  Phase first_byte;
  Phase total;
  uint32_t retries = 0;
  // How it ended, and why: "complete", "client_reset", "response_timeout".
  std::string_view end;
};

// Every line that format_access_line() makes fits.
inline constexpr size_t kAccessLineMax = 4608;
// Bytes of a target in a line, after escaping.
inline constexpr size_t kAccessTargetMax = 2048;

// Writes the line with its line feed and returns how many bytes that took. Where `size` is less than kAccessLineMax the
// line may be cut short; it still ends in a line feed. Requires size > 0. Allocates nothing.
size_t format_access_line(const AccessRecord& record, char* out, size_t size);

}  // namespace fairlead::observe
