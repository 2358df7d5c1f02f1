// What a set of resources is, in 32 bytes, whatever the order in which they came: a sum of SHA-256 hashes, so that a
// change costs what it touches. GetInfoResponse.digest in the schema says how, for clients. Not for telling apart what
// somebody made up to look alike: sums of hashes can be forged with effort.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead::store {

class Digest {
 public:
  // The numbers of the schema.
  enum class Kind : uint8_t { kListener = 1, kBackend = 2, kServer = 3, kCertificate = 4 };
  using Hash = std::array<uint64_t, 4>;

  static Hash hash(Kind kind, std::string_view canonical);

  void add(const Hash& hash) {
    for (size_t i = 0; i < sum_.size(); ++i) sum_[i] += hash[i];
  }
  void remove(const Hash& hash) {
    for (size_t i = 0; i < sum_.size(); ++i) sum_[i] -= hash[i];
  }
  // As in the schema.
  std::string bytes() const;

  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  Hash sum_{};
};

}  // namespace fairlead::store
