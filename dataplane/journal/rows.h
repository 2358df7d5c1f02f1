// What the journal keeps: a row for each resource, and what belongs to all of them. Values; the texts of a Row belong
// to whoever made it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead::journal {

enum class Kind : uint8_t { kListener = 1, kBackend = 2, kServer = 3, kCertificate = 4 };

struct Row {
  uint64_t uid = 0;
  Kind kind = Kind::kServer;
  // Of a server: its backend's uid. Else 0.
  uint64_t backend = 0;
  uint64_t version = 0;
  // Nanoseconds since 1970.
  int64_t create_time = 0;
  int64_t update_time = 0;
  // Canonical bytes of the settings.
  std::string_view content{};
  // Of a listener: the addresses that it was bound to, a line each. Of a server: its slot, in digits. Of a certificate:
  // its private key, encrypted.
  std::string_view bound{};
};

// 128 bit, compared as one number; {0, 0} is none.
struct ElectionId {
  uint64_t high = 0;
  uint64_t low = 0;
  friend auto operator<=>(const ElectionId&, const ElectionId&) = default;
};

// Written with each group, so that it always belongs to the rows.
struct State {
  uint64_t epoch = 0;
  uint64_t version = 0;
  uint64_t last_uid = 0;
  ElectionId election{};
  // Over all resources, 32 bytes; what it means is the caller's business.
  std::string digest = std::string(32, '\0');
  uint64_t resources = 0;
  friend bool operator==(const State&, const State&) = default;
};

// One transaction.
struct HistoryRow {
  uint64_t version = 0;
  int64_t time = 0;
  std::string actor{};
  std::string peer{};
  uint64_t transaction_id = 0;
  // Of what was sent, so that a repetition is told from another transaction with the same id.
  std::string fingerprint{};
  // See history.h.
  std::string changes{};
};

}  // namespace fairlead::journal
