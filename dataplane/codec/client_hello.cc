#include "codec/client_hello.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

namespace fairlead::codec {
namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHello = 1;
constexpr size_t kRecordHead = 5;
constexpr size_t kMessageHead = 4;
constexpr size_t kRecordMax = 16 * 1024;
constexpr uint16_t kServerNameExtension = 0;
constexpr uint16_t kAlpnExtension = 16;
constexpr uint8_t kHostName = 0;
constexpr size_t kHostMax = 255;

uint8_t byte_at(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

// Takes fields from the front; what is not there makes it bad, and everything after that empty.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : left_(bytes) {}

  bool ok() const { return ok_; }
  bool empty() const { return left_.empty(); }
  size_t number(size_t width) {
    std::string_view bytes = take(width);
    size_t value = 0;
    for (char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  std::string_view take(size_t size) {
    if (size > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  // With its size before it, in so many bytes.
  std::string_view sized(size_t width) { return take(number(width)); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

bool read_server_name(std::string_view extension, ClientHello& hello) {
  Fields fields(extension);
  Fields names(fields.sized(2));
  if (!fields.ok() || !fields.empty()) return false;
  while (!names.empty()) {
    size_t type = names.number(1);
    std::string_view name = names.sized(2);
    if (!names.ok()) return false;
    if (type != kHostName) continue;
    // One of a kind; a name with a NUL would be another to whoever reads it as C does.
    bool is_host = !name.empty() && name.size() <= kHostMax && name.find('\0') == name.npos;
    if (!hello.server_name.empty() || !is_host) return false;
    hello.server_name = name;
  }
  return !hello.server_name.empty();
}

bool read_protocols(std::string_view extension, ClientHello& hello) {
  Fields fields(extension);
  hello.protocols = fields.sized(2);
  if (!fields.ok() || !fields.empty() || hello.protocols.empty()) return false;
  Fields list(hello.protocols);
  while (!list.empty()) {
    if (list.sized(1).empty()) return false;
  }
  return list.ok();
}

bool read_message(std::string_view body, ClientHello& hello) {
  Fields fields(body);
  fields.take(2 + 32);  // the version that was, and random bytes
  fields.sized(1);      // the session
  std::string_view ciphers = fields.sized(2);
  std::string_view compression = fields.sized(1);
  if (!fields.ok() || ciphers.size() < 2 || ciphers.size() % 2 != 0 || compression.empty()) return false;
  if (fields.empty()) return true;  // before there were extensions
  Fields extensions(fields.sized(2));
  if (!fields.ok() || !fields.empty()) return false;
  bool has_name = false;
  bool has_protocols = false;
  while (!extensions.empty()) {
    size_t type = extensions.number(2);
    std::string_view extension = extensions.sized(2);
    if (!extensions.ok()) return false;
    if (type == kServerNameExtension && (std::exchange(has_name, true) || !read_server_name(extension, hello))) {
      return false;
    }
    if (type == kAlpnExtension && (std::exchange(has_protocols, true) || !read_protocols(extension, hello))) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool ClientHello::offers(std::string_view protocol) const {
  Fields list(protocols);
  while (!list.empty()) {
    if (list.sized(1) == protocol) return true;
  }
  return false;
}

HelloState parse_client_hello(std::string_view bytes, std::span<char, kMaxClientHello> memory, ClientHello& hello) {
  hello = {};
  size_t filled = 0;
  while (true) {
    if (filled >= 1 && static_cast<uint8_t>(memory[0]) != kClientHello) return HelloState::kMalformed;
    if (filled >= kMessageHead) {
      std::string_view message(memory.data(), filled);
      size_t size =
          kMessageHead + (size_t{byte_at(message, 1)} << 16 | size_t{byte_at(message, 2)} << 8 | byte_at(message, 3));
      if (size > kMaxClientHello || filled > size) return HelloState::kMalformed;
      if (filled == size) {
        return read_message(message.substr(kMessageHead), hello) ? HelloState::kComplete : HelloState::kMalformed;
      }
    }
    // As early as it can be seen.
    if (!bytes.empty() && byte_at(bytes, 0) != kHandshakeRecord) return HelloState::kMalformed;
    if (bytes.size() >= 2 && byte_at(bytes, 1) != 3) return HelloState::kMalformed;
    if (bytes.size() < kRecordHead) return HelloState::kIncomplete;
    size_t size = size_t{byte_at(bytes, 3)} << 8 | byte_at(bytes, 4);
    if (size == 0 || size > kRecordMax) return HelloState::kMalformed;
    size_t here = std::min(size, bytes.size() - kRecordHead);
    if (filled + here > kMaxClientHello) return HelloState::kMalformed;
    std::memcpy(memory.data() + filled, bytes.data() + kRecordHead, here);
    filled += here;
    bytes.remove_prefix(kRecordHead + here);
    if (here < size) {
      bool is_other = filled >= 1 && static_cast<uint8_t>(memory[0]) != kClientHello;
      return is_other ? HelloState::kMalformed : HelloState::kIncomplete;
    }
  }
}

}  // namespace fairlead::codec
