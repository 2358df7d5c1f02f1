#include "tls/seal.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/descriptor.h"
#include "config/text.h"
#include "tls/openssl.h"

namespace fairlead::tls {
namespace {

using config::concat;

constexpr size_t kNonceSize = 12;
constexpr size_t kTagSize = 16;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
int size_of(std::string_view text) { return static_cast<int>(text.size()); }

}  // namespace

absl::StatusOr<Seal> Seal::read(const std::string& path) {
  auto failed = [&](std::string_view why) { return absl::FailedPreconditionError(concat(path, ": ", why)); };
  base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    return failed(concat(strerror(errno), "; it is made so: (umask 077; openssl rand -hex 32 > ", path, ")"));
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return failed("is not a regular file");
  if ((status.st_mode & 077) != 0) return failed("may be read by others than its owner; chmod 600 it");
  std::string text(128, '\0');
  ssize_t count = ::read(file.get(), text.data(), text.size());
  text.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  absl::string_view digits = absl::StripTrailingAsciiWhitespace(text);
  std::array<unsigned char, 32> key{};
  bool is_hex = digits.size() == 2 * key.size() && std::ranges::all_of(digits, absl::ascii_isxdigit);
  if (!is_hex) return failed("does not hold 64 hexadecimal digits");
  std::string bytes = absl::HexStringToBytes(digits);
  std::ranges::copy(bytes, key.begin());
  OPENSSL_cleanse(text.data(), text.size());
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return Seal(key);
}

std::string Seal::seal(std::string_view secret, std::string_view context) const {
  std::string out(kNonceSize + secret.size() + kTagSize, '\0');
  auto* nonce = reinterpret_cast<unsigned char*>(out.data());
  unsigned char* at = nonce + kNonceSize;
  int count = 0;
  CipherContextPtr cipher(EVP_CIPHER_CTX_new());
  FAIRLEAD_CHECK(RAND_bytes(nonce, kNonceSize) == 1 &&
                 EVP_EncryptInit_ex2(cipher.get(), EVP_aes_256_gcm(), key_.data(), nonce, nullptr) == 1 &&
                 EVP_EncryptUpdate(cipher.get(), nullptr, &count, bytes_of(context), size_of(context)) == 1 &&
                 EVP_EncryptUpdate(cipher.get(), at, &count, bytes_of(secret), size_of(secret)) == 1 &&
                 EVP_EncryptFinal_ex(cipher.get(), at + count, &count) == 1 &&
                 EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, at + secret.size()) == 1);
  return out;
}

std::optional<std::string> Seal::open(std::string_view sealed, std::string_view context) const {
  if (sealed.size() < kNonceSize + kTagSize) return std::nullopt;
  std::string_view body = sealed.substr(kNonceSize, sealed.size() - kNonceSize - kTagSize);
  std::string tag(sealed.substr(sealed.size() - kTagSize));
  std::string out(body.size(), '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  int count = 0;
  CipherContextPtr cipher(EVP_CIPHER_CTX_new());
  bool opened = EVP_DecryptInit_ex2(cipher.get(), EVP_aes_256_gcm(), key_.data(), bytes_of(sealed), nullptr) == 1 &&
                EVP_DecryptUpdate(cipher.get(), nullptr, &count, bytes_of(context), size_of(context)) == 1 &&
                EVP_DecryptUpdate(cipher.get(), at, &count, bytes_of(body), size_of(body)) == 1 &&
                EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1 &&
                EVP_DecryptFinal_ex(cipher.get(), at + count, &count) == 1;
  ERR_clear_error();
  if (!opened) return std::nullopt;
  return out;
}

}  // namespace fairlead::tls
