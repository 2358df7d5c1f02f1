// Records of TLS 1.3 from a peer that has the keys and says anything with them, and bytes between them that it made up.
//
// An input is a list of steps: a byte whose lowest bit says whether the next is sealed, one for the type of what is
// sealed, one for how many bytes follow.
#include <algorithm>
#include <string>

#include "targets.h"
#include "tls/traffic.h"

namespace fairlead {
namespace {

using tls::Traffic;
using tls::TrafficKeys;

constexpr uint8_t kHandshake = 22;
constexpr uint8_t kApplicationData = 23;

class Reader {
 public:
  explicit Reader(std::string_view input) : left_(input) {}
  bool empty() const { return left_.empty(); }
  uint8_t byte() { return left_.empty() ? 0 : static_cast<uint8_t>(bytes(1)[0]); }
  std::string_view bytes(size_t count) {
    std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view left_;
};

tls::Secret secret(uint8_t byte) {
  tls::Secret made;
  made.size = 32;
  made.bytes.fill(byte);
  return made;
}

// One record, read from memory of its own.
Traffic::Opened open(Traffic& traffic, std::string_view record, std::string& plain) {
  const Alone in(record);
  plain.assign(Traffic::room_for(in.text()), '\0');
  Traffic::Opened opened = traffic.open(in.text(), plain.data());
  demand(opened.kind != Traffic::Kind::kData || (opened.size > 0 && opened.size <= plain.size()), "data has its room");
  return opened;
}

}  // namespace

void fuzz_tls_records(std::string_view input) {
  tls::RecordCiphers ciphers;
  Traffic traffic(ciphers, tls::Suite::kAes128Gcm, secret(1), secret(2), 0);
  TrafficKeys peer(ciphers, tls::Suite::kAes128Gcm, TrafficKeys::Use::kSealing, secret(1), 0);
  std::string plain;
  for (Reader steps(input); !steps.empty();) {
    const bool is_sealed = (steps.byte() & 1) != 0;
    const uint8_t type = steps.byte();
    const std::string_view content = steps.bytes(steps.byte());
    if (!is_sealed) {
      // Nothing of it can be the peer's, so it is the end.
      std::optional<size_t> size = Traffic::whole_record(content);
      demand(!size || (*size >= Traffic::kHeader && *size <= content.size()), "a record is within its bytes");
      if (!size) continue;
      demand(open(traffic, content.substr(0, *size), plain).kind == Traffic::Kind::kFailed, "nobody else has the key");
      return;
    }
    std::string record(content.size() + Traffic::kRecordOverhead, '\0');
    demand(peer.seal(type, content, record.data()) == record.size(), "a record is as long as it is said to be");
    demand(Traffic::whole_record(record) == record.size(), "a record is whole");
    const Traffic::Opened opened = open(traffic, record, plain);
    if (opened.kind == Traffic::Kind::kFailed || opened.kind == Traffic::Kind::kEnd) return;
    if (opened.kind == Traffic::Kind::kData && type != 0) {
      demand(type == kApplicationData && std::string_view(plain).substr(0, opened.size) == content,
             "data is as it was");
    }
    // The only other that is taken: a new key.
    const std::string_view said = type != 0 ? content : content.substr(0, content.find_last_not_of('\0') + 1);
    if (type == kHandshake || (type == 0 && !said.empty() && static_cast<uint8_t>(said.back()) == kHandshake)) {
      peer.update();
    }
    if (traffic.owes_key_update()) {
      std::string update(Traffic::kKeyUpdateSize, '\0');
      traffic.seal_key_update(update.data());
      demand(!traffic.owes_key_update(), "it is said once");
    }
  }
}

}  // namespace fairlead
