// How names are resolved: the process's settings, as immutable values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/duration.h"

namespace fairlead::names {

enum class Family : uint8_t { kIp4, kIp6, kIp4Only, kIp6Only };

// Why a name has no answer.
enum class Failure : uint8_t {
  // It does not exist, or has no address.
  kNoName,
  kRefused,
  kTimeout,
  // What came says that the nameserver has failed, or says nothing that could be understood.
  kOther,
};

struct Settings {
  // "127.0.0.1:53", "[::1]:53". Empty: those of /etc/resolv.conf.
  std::vector<std::string> nameservers;
  config::Duration timeout = std::chrono::seconds(1);
  uint32_t tries = 2;
  config::Duration min_interval = std::chrono::seconds(1);
  config::Duration max_interval = std::chrono::minutes(1);
  // Since the last good answer, by the kind of failure; and of an address that is in the answer no more.
  config::Duration hold_no_name = std::chrono::seconds(30);
  config::Duration hold_refused = std::chrono::hours(1);
  config::Duration hold_timeout = std::chrono::hours(1);
  config::Duration hold_other = std::chrono::hours(1);
  config::Duration hold_obsolete = config::Duration::zero();
  Family family = Family::kIp4;
  // Names that are asked for at a time.
  uint32_t max_under_way = 64;

  config::Duration hold_of(Failure failure) const {
    switch (failure) {
      case Failure::kNoName:
        return hold_no_name;
      case Failure::kRefused:
        return hold_refused;
      case Failure::kTimeout:
        return hold_timeout;
      case Failure::kOther:
        break;
    }
    return hold_other;
  }
};

}  // namespace fairlead::names
