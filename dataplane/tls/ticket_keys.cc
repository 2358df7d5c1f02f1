#include "tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tls/openssl.h"

namespace fairlead::tls {
namespace {

template <size_t Size>
void fill(std::array<unsigned char, Size>& bytes) {
  FAIRLEAD_CHECK(RAND_bytes(bytes.data(), Size) == 1);
}

// Looked up once: OpenSSL 3 looks for an algorithm that is only named in each call.
const EVP_CIPHER* ticket_cipher() {
  static const CipherPtr cipher(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
  return cipher.get();
}

}  // namespace

TicketKeys::TicketKeys() { make_key(Clock::now()); }

std::vector<TicketKeys::Key> TicketKeys::keys() const {
  std::lock_guard lock(mutex_);
  return keys_;
}

void TicketKeys::adopt(std::vector<Key> keys) {
  std::lock_guard lock(mutex_);
  if (!keys.empty()) keys_ = std::move(keys);
}

void TicketKeys::make_key(Clock::time_point now) {
  Key key{};
  fill(key.name);
  fill(key.encryption);
  fill(key.authentication);
  key.made = now;
  keys_.insert(keys_.begin(), key);
  std::erase_if(keys_, [&](const Key& one) { return now >= one.made + kMakes + kHolds; });
}

TicketKeys::Key TicketKeys::newest(Clock::time_point now) {
  std::lock_guard lock(mutex_);
  if (now >= keys_.front().made + kMakes) make_key(now);
  return keys_.front();
}

bool TicketKeys::find(const unsigned char* name, Clock::time_point now, Key& out, bool& is_newest) {
  std::lock_guard lock(mutex_);
  auto at =
      std::ranges::find_if(keys_, [&](const Key& key) { return std::equal(key.name.begin(), key.name.end(), name); });
  if (at == keys_.end() || now >= at->made + kMakes + kHolds) return false;
  out = *at;
  is_newest = at == keys_.begin() && now < at->made + kMakes;
  return true;
}

int use_ticket_keys(TicketKeys& keys, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                    bool making) {
  // What OpenSSL takes the answers for.
  constexpr int kFailed = -1, kUnknown = 0, kFine = 1, kFineButRenew = 2;
  TicketKeys::Key key;
  bool is_newest = true;
  TicketKeys::Clock::time_point now = TicketKeys::Clock::now();
  if (making) {
    key = keys.newest(now);
    std::ranges::copy(key.name, name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(ticket_cipher())) != 1) return kFailed;
  } else if (!keys.find(name, now, key, is_newest)) {
    return kUnknown;
  }
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.authentication.data(), key.authentication.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  bool ready = EVP_MAC_CTX_set_params(mac, params) == 1 &&
               EVP_CipherInit_ex(cipher, ticket_cipher(), nullptr, key.encryption.data(), iv, making ? 1 : 0) == 1;
  if (!ready) return kFailed;
  return is_newest ? kFine : kFineButRenew;
}

}  // namespace fairlead::tls
