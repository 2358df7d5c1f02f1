// Tells a damaged row from a sound one: 64 bits over all that a row says. Not against forgery.
#pragma once

#include <cstdint>
#include <string_view>

#include "journal/rows.h"

namespace fairlead::journal {

class Checksum {
 public:
  Checksum& add(uint64_t value) {
    sum_ = (sum_ ^ value) * 0x9e3779b97f4a7c15;
    sum_ ^= sum_ >> 29;
    return *this;
  }
  // With its length, so that what follows cannot be taken for a part of it.
  Checksum& add(std::string_view bytes);
  int64_t value() const { return static_cast<int64_t>(sum_ ^ (sum_ >> 32)); }

 private:
  uint64_t sum_ = 0x243f6a8885a308d3;
};

int64_t checksum(const Row& row);
int64_t checksum(const State& state);
int64_t checksum(const HistoryRow& row);

}  // namespace fairlead::journal
