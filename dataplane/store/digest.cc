#include "store/digest.h"

#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstring>
#include <memory>

#include "base/check.h"

namespace fairlead::store {
namespace {

// SHA-256 that was looked up once: OpenSSL 3 looks for the algorithm, under locks, in each call that only names it,
// which costs five times what hashing a server does.
class Hasher {
 public:
  std::array<unsigned char, 32> hash(unsigned char first, std::string_view rest) {
    std::array<unsigned char, 32> result;
    FAIRLEAD_CHECK(EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1 &&
                   EVP_DigestUpdate(context_.get(), &first, 1) == 1 &&
                   EVP_DigestUpdate(context_.get(), rest.data(), rest.size()) == 1 &&
                   EVP_DigestFinal_ex(context_.get(), result.data(), nullptr) == 1);
    return result;
  }

 private:
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> algorithm_{EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free};
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

}  // namespace

static_assert(std::endian::native == std::endian::little);

Digest::Hash Digest::hash(Kind kind, std::string_view canonical) {
  static thread_local Hasher hasher;
  std::array<unsigned char, 32> bytes = hasher.hash(static_cast<unsigned char>(kind), canonical);
  return std::bit_cast<Hash>(bytes);
}

std::string Digest::bytes() const { return {reinterpret_cast<const char*>(sum_.data()), sizeof sum_}; }

}  // namespace fairlead::store
