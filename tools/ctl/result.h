// What a command ends with.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace fairlead::ctl {

inline constexpr int kExitRefused = 1;
inline constexpr int kExitUsage = 2;

// `text` is for people, without a line break at its end.
struct Failure {
  int exit_status = kExitRefused;
  std::string text;
};

template <typename T>
using Result = std::expected<T, Failure>;

// The command line is wrong: the program adds the command's usage line.
inline std::unexpected<Failure> usage_error(std::string text) {
  return std::unexpected(Failure{kExitUsage, std::move(text)});
}

inline std::unexpected<Failure> refused(std::string text) {
  return std::unexpected(Failure{kExitRefused, std::move(text)});
}

}  // namespace fairlead::ctl
