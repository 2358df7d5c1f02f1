// The header lines of a head, the same in both directions, and what they say together about framing and connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "codec/authority.h"
#include "codec/head_result.h"
#include "codec/scan.h"
#include "http/header.h"

namespace fairlead::codec {

enum class Role : uint8_t { kRequest, kResponse };

// A name in a Connection field. Unlike a string_view it may stay uninitialized.
struct Nominated {
  const char* data;
  size_t size;

  std::string_view text() const { return {data, size}; }
};

// What the fields that matter said. Lives on the stack of one parse.
struct SectionFacts {
  // More names in Connection than this are an attack on whoever compares them with all headers.
  static constexpr size_t kMaxNominated = 16;

  explicit SectionFacts(Role its_role) : role(its_role) {}

  std::span<const Nominated> nominated() const { return std::span(nominated_names).first(nominated_count); }

  Role role;
  bool chunked = false;
  bool close = false;
  bool keep_alive = false;
  bool upgrade_option = false;  // Connection: upgrade
  bool expect_continue = false;
  uint8_t upgrade_lines = 0;
  uint8_t nominated_count = 0;
  std::optional<uint64_t> length;
  std::optional<Authority> host;
  std::optional<uint32_t> max_forwards;
  std::optional<uint32_t> keep_alive_timeout_seconds;
  std::optional<uint32_t> keep_alive_max;
  std::string_view upgrade;
  // Names that Connection declares as meant for the next hop. Only the first nominated_count are set.
  std::array<Nominated, kMaxNominated> nominated_names;
};

// From the first header line to behind the empty line. Refuses what is malformed in itself or against an earlier line.
Verdict parse_header_section(Cursor& cursor, const HeadLimits& limits, SectionFacts& facts, http::HeaderList& headers);

// Marks the headers that Connection named.
void mark_nominated(const SectionFacts& facts, http::HeaderList& headers);

// The protocols to pass on, or nothing: only from one Upgrade line that Connection announces, never to h2c, which would
// take the bytes behind it out of our sight (RFC 9113 section 3.1 deprecates it).
std::string_view upgrade_to_forward(const SectionFacts& facts);

}  // namespace fairlead::codec
