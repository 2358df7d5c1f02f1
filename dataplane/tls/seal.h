// Encryption of small secrets for the disk: AES-256-GCM with a key from a file. Any thread.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace fairlead::tls {

class Seal {
 public:
  // A file with 64 hexadecimal digits and perhaps a line's end, a regular one of which others than its owner have
  // nothing. The error names the file and what is wrong.
  static absl::StatusOr<Seal> read(const std::string& path);
  explicit Seal(const std::array<unsigned char, 32>& key) : key_(key) {}

  // Another text each time. `context` is not in it, and has to be the same when it is opened: a sealed text that was
  // put into another place does not open there.
  std::string seal(std::string_view secret, std::string_view context) const;
  // Nothing where it was sealed with another key or context, or has been changed.
  std::optional<std::string> open(std::string_view sealed, std::string_view context) const;

 private:
  std::array<unsigned char, 32> key_;
};

}  // namespace fairlead::tls
