// The records of a TLS 1.3 connection whose handshake is over (RFC 8446 section 5), in place of OpenSSL's connection:
// that takes some 14 KB as long as it lives, this some 300 bytes. The ciphers are OpenSSL's, and belong to the worker.
//
// Bytes in, bytes out, no I/O. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tls/openssl.h"

namespace fairlead::tls {

enum class Suite : uint8_t { kAes128Gcm, kAes256Gcm, kChaCha20Poly1305 };
// By its number (RFC 8446 appendix B.4); none for those that are not offered unless somebody asks for them.
std::optional<Suite> suite_of(uint16_t number);

// A traffic secret as the handshake has made it: as long as its hash.
struct Secret {
  std::array<uint8_t, 48> bytes{};
  uint8_t size = 0;
  Secret() = default;
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

class TrafficKeys;

// What a worker seals and opens records with, and derives their keys with: OpenSSL looks for an algorithm and allocates
// for it in each call that only names one, which costs more than what it does.
//
// Of contexts to seal and open with, each has the key of the direction that took it last. Who comes often finds its own
// as it left it; beyond kContextsMax of a kind they go round, and who lost its own pays for its key's schedule again.
class RecordCiphers {
 public:
  static constexpr size_t kContextsMax = 128;

  // Ready for the next record of `keys`. `place` is where its context was, and is where it is now.
  EVP_CIPHER_CTX* context_for(const TrafficKeys& keys, uint8_t& place);
  // Its key is not used any more.
  void give_back(const TrafficKeys& keys, uint8_t place);
  // HKDF-Expand-Label without context (RFC 8446 section 7.1), of no more than one block of the hash.
  void expand(Suite suite, const Secret& secret, std::string_view label, std::span<uint8_t> out);

 private:
  struct Context {
    CipherContextPtr cipher;
    const TrafficKeys* holder = nullptr;
  };
  // Of a suite and a direction.
  struct Kind {
    std::vector<Context> contexts;
    std::vector<uint8_t> free;
    uint8_t next = 0;

    uint8_t take();
  };
  Kind& kind_of(const TrafficKeys& keys);
  EVP_MAC_CTX* mac_for(Suite suite);
  std::array<std::array<Kind, 2>, 3> kinds_;
  // HMAC with the hash of each suite. Until the next one they know the last secret.
  std::array<MacContextPtr, 3> macs_;
};

// One direction: its secret and what follows from it (RFC 8446 section 7.3), and how many records it has had.
class TrafficKeys {
 public:
  enum class Use : uint8_t { kOpening, kSealing };

  TrafficKeys(RecordCiphers& ciphers, Suite suite, Use use, const Secret& secret, uint64_t records);
  ~TrafficKeys();
  TrafficKeys(const TrafficKeys&) = delete;
  TrafficKeys& operator=(const TrafficKeys&) = delete;

  // The next secret, after a KeyUpdate (RFC 8446 section 7.2).
  void update();
  uint64_t records() const { return records_; }
  Suite suite() const { return suite_; }
  Use use() const { return use_; }
  const uint8_t* key() const { return key_.data(); }

  // A whole record of this type: `out` has room for Traffic::kRecordOverhead more than `plain`. How many bytes it has.
  size_t seal(uint8_t type, std::string_view plain, char* out);
  // The bytes in it, its type and padding behind them, into `out`, which has room for all but header and tag. False
  // where it is not the peer's.
  bool open(std::string_view record, char* out);

 private:
  using Nonce = std::array<uint8_t, 12>;
  void derive();
  Nonce next_nonce();

  RecordCiphers& ciphers_;
  const Suite suite_;
  const Use use_;
  uint8_t context_ = 0;
  Secret secret_;
  std::array<uint8_t, 32> key_;
  Nonce iv_;
  uint64_t records_;
};

class Traffic {
 public:
  static constexpr size_t kHeader = 5;
  static constexpr size_t kTag = 16;
  static constexpr size_t kPlainMax = 16 * 1024;
  // Header, type and tag.
  static constexpr size_t kRecordOverhead = kHeader + 1 + kTag;
  // Of one that a peer may send, padding and all.
  static constexpr size_t kRecordMax = kHeader + kPlainMax + 256;
  // Alerts (RFC 8446 section 6).
  static constexpr uint8_t kCloseNotify = 0;
  static constexpr uint8_t kUnexpectedMessage = 10;
  static constexpr uint8_t kBadRecordMac = 20;
  static constexpr uint8_t kRecordOverflow = 22;
  static constexpr uint8_t kIllegalParameter = 47;
  static constexpr uint8_t kDecodeError = 50;

  // `sent`: records that the handshake has sent with the server's secret: its tickets.
  Traffic(RecordCiphers& ciphers, Suite suite, const Secret& client, const Secret& server, uint64_t sent);

  // How many bytes the record has that `input` begins with, or nothing where not all of it has come.
  static std::optional<size_t> whole_record(std::string_view input);

  // What came of a record. Of kData, `size` bytes of it; of kFailed, the `alert` that says why.
  enum class Kind : uint8_t { kData, kNothing, kEnd, kFailed };
  struct Opened {
    Kind kind = Kind::kFailed;
    uint8_t alert = 0;
    size_t size = 0;
  };
  // A whole record. `out` has room for room_for(record) bytes, which may be more than come of it.
  static size_t room_for(std::string_view record) { return record.size() - std::min(record.size(), kHeader + kTag); }
  Opened open(std::string_view record, char* out);

  // Records of data: `out` has room for sealed_size(plain.size()). How many bytes they have.
  static size_t sealed_size(size_t plain) { return plain + (plain / kPlainMax + 1) * kRecordOverhead; }
  size_t seal(std::string_view plain, char* out);
  // kAlertSize bytes.
  static constexpr size_t kAlertSize = kRecordOverhead + 2;
  size_t seal_alert(uint8_t alert, char* out);
  // The peer has asked for one, or the key has been used for as long as it may be (RFC 8446 section 5.5).
  bool owes_key_update() const { return asked_for_update_ || write_.records() >= kRecordsMax; }
  // kKeyUpdateSize bytes. From here on there is a new key.
  static constexpr size_t kKeyUpdateSize = kRecordOverhead + 5;
  size_t seal_key_update(char* out);

 private:
  // 2^24.5 full records are what AES-GCM allows.
  static constexpr uint64_t kRecordsMax = uint64_t{1} << 24;

  Opened handle(uint8_t type, std::string_view content);

  TrafficKeys read_;
  TrafficKeys write_;
  bool asked_for_update_ = false;
};

}  // namespace fairlead::tls
