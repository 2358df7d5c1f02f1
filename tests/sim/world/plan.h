// What one exchange is to look like, drawn from the seed by the client and told to the origin in a field of the
// request.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "test_support/random.h"

namespace fairlead::sim {

enum class Framing : int { kSized, kChunked, kUntilClose };

// How the origin's connection fails, where it does.
enum class Fate : int {
  kGood,
  kResetBeforeHead,
  kCloseBeforeHead,
  kCloseInHead,
  kCloseInBody,
  kResetInBody,
  // No answer, ever.
  kSilence,
  // No HTTP.
  kNonsense,
};

struct Plan {
  uint64_t id = 0;
  std::string method = "GET";
  size_t request_size = 0;
  Framing request_framing = Framing::kSized;
  bool expect_continue = false;

  int status = 200;
  size_t response_size = 0;
  Framing response_framing = Framing::kSized;
  int interim_responses = 0;
  // Answers before it has read the request's body, and reads it then.
  bool early = false;
  // After the response the origin closes, as it announces,
  bool close = false;
  // or without a word.
  bool close_silently = false;
  int delay_ms = 0;
  Fate fate = Fate::kGood;
  // How many tries have this fate and this status; further ones end well, with 200.
  int fated_tries = 1'000;
  // What the origin sets, by a field of the request's; no part of what encode() gives. Empty: nothing.
  std::string set_cookie{};

  bool has_response_body() const { return method != "HEAD" && status != 204 && status != 304; }
  bool is_idempotent() const { return method != "POST" && method != "PATCH"; }
  std::string expected_body() const;
  std::string request_body() const;

  // The request's bytes: head, and body in its framing.
  std::string request_head(std::string_view host) const;
  std::string framed_request_body(test_support::Random& random) const;
  std::string response_head() const;
  std::string framed_response_body(test_support::Random& random) const;

  std::string encode() const;
  static std::optional<Plan> decode(std::string_view text);

  // Everything that a proxy must carry without a failure.
  static Plan draw(test_support::Random& random, uint64_t id);
};

// Bytes that tell by themselves whose they are.
std::string body_bytes(uint64_t id, std::string_view kind, size_t size);

}  // namespace fairlead::sim
