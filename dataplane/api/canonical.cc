#include "api/canonical.h"

#include "api/encode.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace fairlead::api {
namespace {

template <typename Message>
std::string serialize(Message& message) {
  message.clear_metadata();
  if constexpr (requires { message.clear_status(); }) message.clear_status();
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&out);
  out.Trim();
  return bytes;
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

size_t varint_size(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

enum WireType { kVarint = 0, kLengthDelimited = 2 };

void append_tag(std::string& out, int field, WireType type) {
  append_varint(out, static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(type));
}

void append_number(std::string& out, int field, uint64_t value) {
  append_tag(out, field, kVarint);
  append_varint(out, value);
}

void append_bytes(std::string& out, int field, std::string_view bytes) {
  append_tag(out, field, kLengthDelimited);
  append_varint(out, bytes.size());
  out.append(bytes);
}

// A field without presence: an empty one is left out.
void append_text(std::string& out, int field, std::string_view text) {
  if (!text.empty()) append_bytes(out, field, text);
}

// Of a map: key and value stand there even where they are empty.
void append_entry(std::string& out, int field, std::string_view key, std::string_view value) {
  append_tag(out, field, kLengthDelimited);
  append_varint(out, 2 + varint_size(key.size()) + key.size() + varint_size(value.size()) + value.size());
  append_bytes(out, 1, key);
  append_bytes(out, 2, value);
}

}  // namespace

// By hand, because there are so many servers.
std::string canonical(const config::Server& record, const std::string& backend) {
  std::string address = record.address.to_string();
  std::string bytes;
  bytes.reserve(backend.size() + record.name.size() + address.size() + 16);
  append_text(bytes, v1::Server::kBackendFieldNumber, backend);
  append_text(bytes, v1::Server::kNameFieldNumber, record.name);
  append_text(bytes, v1::Server::kAddressFieldNumber, address);
  if (record.weight) append_number(bytes, v1::Server::kWeightFieldNumber, *record.weight);
  if (record.admin_state) append_number(bytes, v1::Server::kAdminStateFieldNumber, encode(*record.admin_state));
  for (const auto& [key, value] : record.labels) append_entry(bytes, v1::Server::kLabelsFieldNumber, key, value);
  return bytes;
}

std::string canonical(const config::Backend& record) {
  v1::Backend message;
  encode(record, message);
  return serialize(message);
}

std::string canonical(const config::Listener& record) {
  v1::Listener message;
  encode(record, message);
  return serialize(message);
}

}  // namespace fairlead::api
