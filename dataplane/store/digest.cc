#include "store/digest.h"

#include <openssl/sha.h>

#include <bit>
#include <cstring>

namespace fairlead::store {

static_assert(std::endian::native == std::endian::little);

Digest::Hash Digest::hash(Kind kind, std::string_view canonical) {
  // One call over one piece: much cheaper than OpenSSL 3's streaming, and most resources are short.
  std::array<unsigned char, 512> piece;
  std::string longer;
  unsigned char* whole = piece.data();
  if (canonical.size() >= piece.size()) {
    longer.resize(canonical.size() + 1);
    whole = reinterpret_cast<unsigned char*>(longer.data());
  }
  whole[0] = static_cast<unsigned char>(kind);
  std::memcpy(whole + 1, canonical.data(), canonical.size());
  std::array<unsigned char, SHA256_DIGEST_LENGTH> bytes;
  SHA256(whole, canonical.size() + 1, bytes.data());
  Hash hash;
  static_assert(sizeof hash == sizeof bytes);
  std::memcpy(hash.data(), bytes.data(), sizeof hash);
  return hash;
}

std::string Digest::bytes() const { return {reinterpret_cast<const char*>(sum_.data()), sizeof sum_}; }

}  // namespace fairlead::store
