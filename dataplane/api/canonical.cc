#include "api/canonical.h"

#include "api/encode.h"
#include "api/field_checker.h"
#include "api/health_check.h"
#include "api/server_extras.h"
#include "base/varint.h"
#include "config/validate.h"
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

enum WireType { kVarint = 0, kLengthDelimited = 2 };

void append_tag(std::string& out, int field, WireType type) {
  base::append_varint(out, static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(type));
}

void append_number(std::string& out, int field, uint64_t value) {
  append_tag(out, field, kVarint);
  base::append_varint(out, value);
}

void append_bytes(std::string& out, int field, std::string_view bytes) {
  append_tag(out, field, kLengthDelimited);
  base::append_varint(out, bytes.size());
  out.append(bytes);
}

// A field without presence: an empty one is left out.
void append_text(std::string& out, int field, std::string_view text) {
  if (!text.empty()) append_bytes(out, field, text);
}

// Of a map: key and value stand there even where they are empty.
void append_entry(std::string& out, int field, std::string_view key, std::string_view value) {
  append_tag(out, field, kLengthDelimited);
  base::append_varint(out,
                      2 + base::varint_size(key.size()) + key.size() + base::varint_size(value.size()) + value.size());
  append_bytes(out, 1, key);
  append_bytes(out, 2, value);
}

void append_check(std::string& out, const config::ServerExtras& extras) {
  if (!extras.says_how_to_check()) return;
  v1::ServerHealthCheck message;
  encode(extras, message);
  append_bytes(out, v1::Server::kHealthCheckFieldNumber, message.SerializeAsString());
}

// Protobuf's wire format, as far as servers need it.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}

  bool at_end() const { return left_.empty(); }
  bool ok() const { return ok_; }
  uint64_t number() {
    if (std::optional<uint64_t> value = base::take_varint(left_)) return *value;
    ok_ = false;
    return 0;
  }
  std::string_view text() {
    uint64_t size = number();
    ok_ &= size <= left_.size();
    if (!ok_) return {};
    std::string_view text = left_.substr(0, size);
    left_.remove_prefix(size);
    return text;
  }

 private:
  std::string_view left_;
  bool ok_ = true;
};

constexpr uint64_t text_tag(uint32_t field) { return field << 3 | 2; }
constexpr uint64_t number_tag(uint32_t field) { return field << 3; }

bool read_label(std::string_view entry, config::Labels& labels) {
  WireReader reader(entry);
  std::pair<std::string, std::string> label;
  while (!reader.at_end() && reader.ok()) {
    uint64_t tag = reader.number();
    if (tag != text_tag(1) && tag != text_tag(2)) return false;
    (tag == text_tag(1) ? label.first : label.second) = std::string(reader.text());
  }
  labels.push_back(std::move(label));
  return reader.ok();
}

bool read_admin_state(uint64_t value, config::SmallOptional<config::AdminState>& out) {
  switch (value) {
    case v1::ADMIN_STATE_READY:
      out = config::AdminState::kReady;
      return true;
    case v1::ADMIN_STATE_DRAIN:
      out = config::AdminState::kDrain;
      return true;
    case v1::ADMIN_STATE_MAINTENANCE:
      out = config::AdminState::kMaintenance;
      return true;
    default:
      return false;
  }
}

// Of the few servers that have any: as the message that it was.
bool read_extras(const v1::Server& server, base::Ref<const config::ServerExtras>& out) {
  FieldChecker checker;
  out = decode_extras(checker, server);
  return checker.ok();
}

bool read_check(std::string_view bytes, v1::Server& out) {
  return out.mutable_health_check()->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

bool read_address(std::string_view text, config::Endpoint& out) {
  absl::StatusOr<config::Endpoint> endpoint = config::Endpoint::parse_server(text);
  if (!endpoint.ok()) return false;
  out = *std::move(endpoint);
  return true;
}

}  // namespace

bool read_canonical(std::string_view bytes, config::Server& record) {
  WireReader reader(bytes);
  std::optional<v1::Server> extras;
  while (!reader.at_end() && reader.ok()) {
    uint64_t number;
    switch (reader.number()) {
      case text_tag(v1::Server::kBackendFieldNumber):
        reader.text();
        break;
      case text_tag(v1::Server::kNameFieldNumber):
        record.name = std::string(reader.text());
        break;
      case text_tag(v1::Server::kAddressFieldNumber):
        if (!read_address(reader.text(), record.address)) return false;
        break;
      case number_tag(v1::Server::kWeightFieldNumber):
        number = reader.number();
        if (number > config::kWeightMax) return false;
        record.weight = static_cast<uint16_t>(number);
        break;
      case number_tag(v1::Server::kMaxConnectionsFieldNumber):
        number = reader.number();
        if (number > config::kMaxConnectionsMax) return false;
        record.max_connections = static_cast<uint32_t>(number);
        break;
      case number_tag(v1::Server::kAdminStateFieldNumber):
        if (!read_admin_state(reader.number(), record.admin_state)) return false;
        break;
      case text_tag(v1::Server::kHealthCheckFieldNumber):
        if (!read_check(reader.text(), extras ? *extras : extras.emplace())) return false;
        break;
      case text_tag(v1::Server::kLabelsFieldNumber):
        if (!read_label(reader.text(), record.labels)) return false;
        break;
      case number_tag(v1::Server::kPriorityFieldNumber):
        number = reader.number();
        if (number > config::kPriorityMax) return false;
        record.priority = static_cast<uint8_t>(number & 0x7f);
        break;
      case number_tag(v1::Server::kBackupFieldNumber):
        record.backup = reader.number() != 0;
        break;
      case number_tag(v1::Server::kMinConnectionsFieldNumber):
        number = reader.number();
        if (number > config::kMaxConnectionsMax) return false;
        (extras ? *extras : extras.emplace()).set_min_connections(static_cast<uint32_t>(number));
        break;
      default:
        return false;
    }
  }
  if (extras && !read_extras(*extras, record.extras)) return false;
  return reader.ok() && !record.name.empty();
}

// By hand, because there are so many servers.
std::string canonical(const config::Server& record, const std::string& backend) {
  std::string address = record.address.to_string();
  std::string bytes;
  bytes.reserve(backend.size() + record.name.size() + address.size() + 16);
  append_text(bytes, v1::Server::kBackendFieldNumber, backend);
  append_text(bytes, v1::Server::kNameFieldNumber, record.name);
  append_text(bytes, v1::Server::kAddressFieldNumber, address);
  if (record.weight) append_number(bytes, v1::Server::kWeightFieldNumber, *record.weight);
  if (record.max_connections) append_number(bytes, v1::Server::kMaxConnectionsFieldNumber, *record.max_connections);
  if (record.admin_state) append_number(bytes, v1::Server::kAdminStateFieldNumber, encode(*record.admin_state));
  if (record.extras) append_check(bytes, *record.extras);
  for (const auto& [key, value] : record.labels) append_entry(bytes, v1::Server::kLabelsFieldNumber, key, value);
  if (record.priority > 0) append_number(bytes, v1::Server::kPriorityFieldNumber, record.priority);
  if (record.backup) append_number(bytes, v1::Server::kBackupFieldNumber, 1);
  if (record.extras && record.extras->min_connections) {
    append_number(bytes, v1::Server::kMinConnectionsFieldNumber, *record.extras->min_connections);
  }
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

std::string canonical(const config::Certificate& record) {
  v1::Certificate message;
  encode(record, message);
  return serialize(message);
}

}  // namespace fairlead::api
