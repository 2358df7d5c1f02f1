#include "base/md5.h"

#include <bit>
#include <cstring>

namespace fairlead::base {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read from memory as they stand");

// floor(2^32 x |sin(i + 1)|)
constexpr std::array<uint32_t, 64> kSines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

constexpr int kShifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

}  // namespace

void Md5::add(std::string_view bytes) {
  size_t rest = size_ % kBlock;
  size_ += bytes.size();
  while (rest + bytes.size() >= kBlock) {
    size_t count = kBlock - rest;
    std::memcpy(rest_.data() + rest, bytes.data(), count);
    take_block(state_, rest_.data());
    bytes.remove_prefix(count);
    rest = 0;
  }
  if (!bytes.empty()) std::memcpy(rest_.data() + rest, bytes.data(), bytes.size());
}

Md5::Words Md5::words() const {
  // A one, zeros up to the block's end, of which the last eight bytes are the number of bits.
  Words state = state_;
  std::array<char, kBlock> last{};
  size_t rest = size_ % kBlock;
  std::memcpy(last.data(), rest_.data(), rest);
  last[rest] = static_cast<char>(0x80);
  if (rest + 1 > kBlock - 8) {
    take_block(state, last.data());
    last.fill(0);
  }
  uint64_t bits = size_ * 8;
  std::memcpy(last.data() + kBlock - 8, &bits, 8);
  take_block(state, last.data());
  return state;
}

void Md5::take_block(Words& state, const char* block) {
  std::array<uint32_t, 16> words;
  std::memcpy(words.data(), block, kBlock);
  auto [a, b, c, d] = state;
  for (unsigned i = 0; i < 64; ++i) {
    uint32_t mixed = 0;
    unsigned word = 0;
    switch (i / 16) {
      case 0:
        mixed = (b & c) | (~b & d);
        word = i;
        break;
      case 1:
        mixed = (d & b) | (~d & c);
        word = 5 * i + 1;
        break;
      case 2:
        mixed = b ^ c ^ d;
        word = 3 * i + 5;
        break;
      default:
        mixed = c ^ (b | ~d);
        word = 7 * i;
    }
    uint32_t sum = a + mixed + kSines[i] + words[word % 16];
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, kShifts[i / 16][i % 4]);
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

}  // namespace fairlead::base
