#include "tls/traffic.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace fairlead::tls {
namespace {

// Types of records.
constexpr uint8_t kAlert = 21;
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kApplicationData = 23;
constexpr uint8_t kUserCanceled = 90;
constexpr uint8_t kKeyUpdate = 24;

constexpr uint8_t kWarning = 1;
constexpr uint8_t kFatal = 2;

struct Properties {
  const char* cipher;
  size_t key_size;
  const char* hash;
  size_t hash_size;
};

const Properties& properties_of(Suite suite) {
  static constexpr Properties kAll[] = {
      {"AES-128-GCM", 16, "SHA256", 32}, {"AES-256-GCM", 32, "SHA384", 48}, {"ChaCha20-Poly1305", 32, "SHA256", 32}};
  return kAll[static_cast<size_t>(suite)];
}

const uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }
uint8_t* bytes_of(char* text) { return reinterpret_cast<uint8_t*>(text); }

void put_header(size_t size, char* out) {
  out[0] = static_cast<char>(kApplicationData);
  out[1] = 3;
  out[2] = 3;
  out[3] = static_cast<char>(size >> 8);
  out[4] = static_cast<char>(size);
}

}  // namespace

std::optional<Suite> suite_of(uint16_t number) {
  switch (number) {
    case 0x1301:
      return Suite::kAes128Gcm;
    case 0x1302:
      return Suite::kAes256Gcm;
    case 0x1303:
      return Suite::kChaCha20Poly1305;
    default:
      return std::nullopt;
  }
}

RecordCiphers::Kind& RecordCiphers::kind_of(const TrafficKeys& keys) {
  return kinds_[static_cast<size_t>(keys.suite())][static_cast<size_t>(keys.use())];
}

EVP_CIPHER_CTX* RecordCiphers::context_for(const TrafficKeys& keys, uint8_t& place) {
  Kind& kind = kind_of(keys);
  if (place < kind.contexts.size() && kind.contexts[place].holder == &keys) [[likely]] {
    return kind.contexts[place].cipher.get();
  }
  place = kind.take();
  Context& context = kind.contexts[place];
  context.holder = &keys;
  CipherPtr fetched;
  if (!context.cipher) {
    context.cipher.reset(EVP_CIPHER_CTX_new());
    fetched.reset(EVP_CIPHER_fetch(nullptr, properties_of(keys.suite()).cipher, nullptr));
    FAIRLEAD_CHECK(context.cipher && fetched);
  }
  FAIRLEAD_CHECK(EVP_CipherInit_ex(context.cipher.get(), fetched.get(), nullptr, keys.key(), nullptr,
                                   keys.use() == TrafficKeys::Use::kSealing ? 1 : 0) == 1);
  return context.cipher.get();
}

// One that nobody holds, as long as there may be more; then the one that was taken longest ago.
uint8_t RecordCiphers::Kind::take() {
  if (!free.empty()) {
    uint8_t place = free.back();
    free.pop_back();
    return place;
  }
  if (contexts.size() < kContextsMax) {
    contexts.emplace_back();
    return static_cast<uint8_t>(contexts.size() - 1);
  }
  return std::exchange(next, static_cast<uint8_t>((next + 1) % kContextsMax));
}

void RecordCiphers::give_back(const TrafficKeys& keys, uint8_t place) {
  Kind& kind = kind_of(keys);
  if (place >= kind.contexts.size() || kind.contexts[place].holder != &keys) return;
  kind.contexts[place].holder = nullptr;
  kind.free.push_back(place);
}

void RecordCiphers::expand(Suite suite, const Secret& secret, std::string_view label, std::span<uint8_t> out) {
  constexpr std::string_view kPrefix = "tls13 ";
  std::array<uint8_t, 64> info;
  uint8_t* at = info.data();
  *at++ = 0;
  *at++ = static_cast<uint8_t>(out.size());
  *at++ = static_cast<uint8_t>(kPrefix.size() + label.size());
  at = std::ranges::copy(kPrefix, at).out;
  at = std::ranges::copy(label, at).out;
  *at++ = 0;
  *at++ = 1;
  std::array<uint8_t, EVP_MAX_MD_SIZE> block;
  size_t size = 0;
  EVP_MAC_CTX* mac = mac_for(suite);
  FAIRLEAD_CHECK(EVP_MAC_init(mac, secret.bytes.data(), secret.size, nullptr) == 1 &&
                 EVP_MAC_update(mac, info.data(), static_cast<size_t>(at - info.data())) == 1 &&
                 EVP_MAC_final(mac, block.data(), &size, block.size()) == 1 && size >= out.size());
  std::copy_n(block.begin(), out.size(), out.begin());
  OPENSSL_cleanse(block.data(), block.size());
}

EVP_MAC_CTX* RecordCiphers::mac_for(Suite suite) {
  MacContextPtr& mac = macs_[static_cast<size_t>(suite)];
  if (mac) return mac.get();
  const MacPtr fetched(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  mac.reset(EVP_MAC_CTX_new(fetched.get()));
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(properties_of(suite).hash), 0),
      OSSL_PARAM_construct_end()};
  FAIRLEAD_CHECK(mac && EVP_MAC_CTX_set_params(mac.get(), parameters) == 1);
  return mac.get();
}

TrafficKeys::TrafficKeys(RecordCiphers& ciphers, Suite suite, Use use, const Secret& secret, uint64_t records)
    : ciphers_(ciphers), suite_(suite), use_(use), secret_(secret), records_(records) {
  FAIRLEAD_CHECK(secret.size == properties_of(suite).hash_size);
  derive();
}

TrafficKeys::~TrafficKeys() {
  ciphers_.give_back(*this, context_);
  OPENSSL_cleanse(key_.data(), key_.size());
  OPENSSL_cleanse(iv_.data(), iv_.size());
}

void TrafficKeys::derive() {
  ciphers_.expand(suite_, secret_, "key", std::span(key_).first(properties_of(suite_).key_size));
  ciphers_.expand(suite_, secret_, "iv", iv_);
}

void TrafficKeys::update() {
  Secret next;
  next.size = secret_.size;
  ciphers_.expand(suite_, secret_, "traffic upd", std::span(next.bytes).first(next.size));
  secret_ = next;
  records_ = 0;
  ciphers_.give_back(*this, context_);
  derive();
}

TrafficKeys::Nonce TrafficKeys::next_nonce() {
  Nonce nonce = iv_;
  uint64_t number = records_++;
  for (size_t i = nonce.size(); number != 0; number >>= 8) nonce[--i] ^= static_cast<uint8_t>(number);
  return nonce;
}

size_t TrafficKeys::seal(uint8_t type, std::string_view plain, char* out) {
  const size_t sealed = plain.size() + 1 + Traffic::kTag;
  put_header(sealed, out);
  EVP_CIPHER_CTX* cipher = ciphers_.context_for(*this, context_);
  const Nonce nonce = next_nonce();
  uint8_t* at = bytes_of(out) + Traffic::kHeader;
  int count = 0;
  FAIRLEAD_CHECK(EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data(), 1) == 1 &&
                 EVP_CipherUpdate(cipher, nullptr, &count, bytes_of(out), Traffic::kHeader) == 1 &&
                 EVP_CipherUpdate(cipher, at, &count, bytes_of(plain), static_cast<int>(plain.size())) == 1 &&
                 EVP_CipherUpdate(cipher, at + plain.size(), &count, &type, 1) == 1 &&
                 EVP_CipherFinal_ex(cipher, at + plain.size() + 1, &count) == 1 &&
                 EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Traffic::kTag, at + plain.size() + 1) == 1);
  return Traffic::kHeader + sealed;
}

bool TrafficKeys::open(std::string_view record, char* out) {
  std::string_view sealed = record.substr(Traffic::kHeader, record.size() - Traffic::kHeader - Traffic::kTag);
  std::array<uint8_t, Traffic::kTag> tag;
  std::copy_n(record.end() - Traffic::kTag, Traffic::kTag, tag.begin());
  EVP_CIPHER_CTX* cipher = ciphers_.context_for(*this, context_);
  const Nonce nonce = next_nonce();
  int count = 0;
  const bool opened =
      EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data(), 0) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, Traffic::kTag, tag.data()) == 1 &&
      EVP_CipherUpdate(cipher, nullptr, &count, bytes_of(record), Traffic::kHeader) == 1 &&
      EVP_CipherUpdate(cipher, bytes_of(out), &count, bytes_of(sealed), static_cast<int>(sealed.size())) == 1 &&
      EVP_CipherFinal_ex(cipher, bytes_of(out) + sealed.size(), &count) == 1;
  if (!opened) ERR_clear_error();
  return opened;
}

Traffic::Traffic(RecordCiphers& ciphers, Suite suite, const Secret& client, const Secret& server, uint64_t sent)
    : read_(ciphers, suite, TrafficKeys::Use::kOpening, client, 0),
      write_(ciphers, suite, TrafficKeys::Use::kSealing, server, sent) {}

std::optional<size_t> Traffic::whole_record(std::string_view input) {
  if (input.size() < kHeader) return std::nullopt;
  const size_t size = kHeader + (size_t{static_cast<uint8_t>(input[3])} << 8 | static_cast<uint8_t>(input[4]));
  // One that is too long is not waited for: open() says what is wrong with it.
  if (size > kRecordMax) return kHeader;
  if (input.size() < size) return std::nullopt;
  return size;
}

Traffic::Opened Traffic::open(std::string_view record, char* out) {
  const auto failed = [](uint8_t alert) { return Opened{.kind = Kind::kFailed, .alert = alert}; };
  // After the handshake nothing comes in the clear, not even what middleboxes are shown.
  if (static_cast<uint8_t>(record[0]) != kApplicationData) return failed(kUnexpectedMessage);
  if (record.size() == kHeader) return failed(kRecordOverflow);
  if (record.size() <= kHeader + kTag) return failed(kBadRecordMac);
  if (!read_.open(record, out)) return failed(kBadRecordMac);
  // Zeros behind the type are padding.
  std::string_view content(out, room_for(record));
  const size_t last = content.find_last_not_of('\0');
  if (last == std::string_view::npos) return failed(kUnexpectedMessage);
  if (content.size() > kPlainMax + 1) return failed(kRecordOverflow);
  return handle(static_cast<uint8_t>(content[last]), content.substr(0, last));
}

Traffic::Opened Traffic::handle(uint8_t type, std::string_view content) {
  const auto failed = [](uint8_t alert) { return Opened{.kind = Kind::kFailed, .alert = alert}; };
  switch (type) {
    case kApplicationData:
      return {.kind = content.empty() ? Kind::kNothing : Kind::kData, .size = content.size()};
    case kAlert:
      if (content.size() != 2) return failed(kDecodeError);
      if (content[1] == static_cast<char>(kUserCanceled)) return {.kind = Kind::kNothing};
      if (content[1] == static_cast<char>(kCloseNotify)) return {.kind = Kind::kEnd};
      // Nothing is said to one who has given up.
      return failed(kCloseNotify);
    case kHandshake: {
      // The only one that a client may send. It ends its record, as the next one has another key.
      constexpr std::string_view kBegin("\x18\0\0\1", 4);
      static_assert(kKeyUpdate == 0x18);
      if (content.size() != 5 || !content.starts_with(kBegin)) return failed(kUnexpectedMessage);
      if (content[4] != 0 && content[4] != 1) return failed(Traffic::kIllegalParameter);
      read_.update();
      if (content[4] == 1) asked_for_update_ = true;
      return {.kind = Kind::kNothing};
    }
    default:
      return failed(kUnexpectedMessage);
  }
}

size_t Traffic::seal(std::string_view plain, char* out) {
  size_t size = 0;
  while (!plain.empty()) {
    std::string_view part = plain.substr(0, kPlainMax);
    plain.remove_prefix(part.size());
    size += write_.seal(kApplicationData, part, out + size);
  }
  return size;
}

size_t Traffic::seal_alert(uint8_t alert, char* out) {
  const char content[] = {static_cast<char>(alert == kCloseNotify ? kWarning : kFatal), static_cast<char>(alert)};
  return write_.seal(kAlert, {content, sizeof content}, out);
}

size_t Traffic::seal_key_update(char* out) {
  // "Not requested": an answer to it is not wanted.
  const char content[] = {kKeyUpdate, 0, 0, 1, 0};
  const size_t size = write_.seal(kHandshake, {content, sizeof content}, out);
  write_.update();
  asked_for_update_ = false;
  return size;
}

}  // namespace fairlead::tls
