#include "journal/checksum.h"

#include <cstring>

namespace fairlead::journal {

Checksum& Checksum::add(std::string_view bytes) {
  add(bytes.size());
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    add(word);
  }
  uint64_t rest = 0;
  if (left > 0) std::memcpy(&rest, at, left);
  return add(rest);
}

int64_t checksum(const Row& row) {
  return Checksum()
      .add(row.uid)
      .add(static_cast<uint64_t>(row.kind))
      .add(row.backend)
      .add(row.version)
      .add(static_cast<uint64_t>(row.create_time))
      .add(static_cast<uint64_t>(row.update_time))
      .add(row.content)
      .add(row.bound)
      .value();
}

int64_t checksum(const State& state) {
  return Checksum()
      .add(state.epoch)
      .add(state.version)
      .add(state.last_uid)
      .add(state.election.high)
      .add(state.election.low)
      .add(state.digest)
      .add(state.resources)
      .value();
}

int64_t checksum(const HistoryRow& row) {
  return Checksum()
      .add(row.version)
      .add(static_cast<uint64_t>(row.time))
      .add(row.actor)
      .add(row.peer)
      .add(row.transaction_id)
      .add(row.fingerprint)
      .add(row.changes)
      .value();
}

}  // namespace fairlead::journal
