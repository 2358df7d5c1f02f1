// XXH64 of Y. Collet (xxhash.com, "XXH64 algorithm description", 2016) with seed 0 unless another is given: what is fed
// in pieces has the hash of all of it in a row. Equal in all processes, machines and versions. Not for secrets, nor
// against who looks for collisions.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fairlead::base {

class Xxh64 {
 public:
  explicit Xxh64(uint64_t seed = 0)
      : lanes_{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1}, seed_(seed) {}

  static uint64_t of(std::string_view bytes, uint64_t seed = 0) {
    Xxh64 hash(seed);
    hash.add(bytes);
    return hash.value();
  }

  void add(std::string_view bytes) {
    size_ += bytes.size();
    if (rest_size_ + bytes.size() < kStripe) return keep(bytes);
    if (rest_size_ > 0) {
      std::string_view head = bytes.substr(0, kStripe - rest_size_);
      bytes.remove_prefix(head.size());
      keep(head);
      take_stripe(rest_.data());
      rest_size_ = 0;
    }
    for (; bytes.size() >= kStripe; bytes.remove_prefix(kStripe)) take_stripe(bytes.data());
    keep(bytes);
  }

  uint64_t value() const {
    uint64_t hash = size_ < kStripe ? seed_ + kPrime5 : merged();
    hash += size_;
    const char* at = rest_.data();
    const char* end = at + rest_size_;
    for (; end - at >= 8; at += 8) hash = std::rotl(hash ^ round(0, read<uint64_t>(at)), 27) * kPrime1 + kPrime4;
    for (; end - at >= 4; at += 4) hash = std::rotl(hash ^ read<uint32_t>(at) * kPrime1, 23) * kPrime2 + kPrime3;
    for (; at < end; ++at) hash = std::rotl(hash ^ static_cast<uint8_t>(*at) * kPrime5, 11) * kPrime1;
    hash = (hash ^ (hash >> 33)) * kPrime2;
    hash = (hash ^ (hash >> 29)) * kPrime3;
    return hash ^ (hash >> 32);
  }

 private:
  static constexpr uint64_t kPrime1 = 0x9e3779b185ebca87;
  static constexpr uint64_t kPrime2 = 0xc2b2ae3d27d4eb4f;
  static constexpr uint64_t kPrime3 = 0x165667b19e3779f9;
  static constexpr uint64_t kPrime4 = 0x85ebca77c2b2ae63;
  static constexpr uint64_t kPrime5 = 0x27d4eb2f165667c5;
  static constexpr size_t kStripe = 32;

  static_assert(std::endian::native == std::endian::little, "numbers are read from memory as they stand");
  template <typename Number>
  static uint64_t read(const char* at) {
    Number number;
    std::memcpy(&number, at, sizeof number);
    return number;
  }
  static uint64_t round(uint64_t lane, uint64_t input) { return std::rotl(lane + input * kPrime2, 31) * kPrime1; }

  void take_stripe(const char* at) {
    for (size_t i = 0; i < lanes_.size(); ++i) lanes_[i] = round(lanes_[i], read<uint64_t>(at + i * 8));
  }
  void keep(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(rest_.data() + rest_size_, bytes.data(), bytes.size());
    rest_size_ += bytes.size();
  }
  uint64_t merged() const {
    uint64_t hash =
        std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
    for (uint64_t lane : lanes_) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
    return hash;
  }

  std::array<uint64_t, 4> lanes_;
  uint64_t seed_;
  uint64_t size_ = 0;
  // What has come since the last whole stripe.
  std::array<char, kStripe> rest_;
  size_t rest_size_ = 0;
};

}  // namespace fairlead::base
