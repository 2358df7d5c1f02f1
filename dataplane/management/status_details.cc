#include "management/status_details.h"

#include "base/varint.h"

namespace fairlead::management {
namespace {

// A field that holds a number.
std::string number(unsigned field, uint64_t value) {
  std::string out;
  base::append_varint(out, field << 3);
  base::append_varint(out, value);
  return out;
}

// A field that holds a text or a message.
std::string bytes(unsigned field, std::string_view value) {
  std::string out;
  base::append_varint(out, field << 3 | 2);
  base::append_varint(out, value.size());
  out += value;
  return out;
}

// The first part, and no part of a character.
std::string_view beginning(std::string_view text, size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<uint8_t>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

std::string text(unsigned field, std::string_view value) {
  return bytes(field, beginning(value, StatusDetails::kTextMax));
}

}  // namespace

void StatusDetails::add(std::string_view type, std::string_view content) {
  std::string any = bytes(1, "type.googleapis.com/" + std::string(type)) + bytes(2, content);
  details_ += bytes(3, any);
}

void StatusDetails::add(const google::protobuf::Message& detail) {
  add(detail.GetTypeName(), detail.SerializeAsString());
}

void StatusDetails::add_error_info(std::string_view reason, std::string_view key, std::string_view value) {
  add("google.rpc.ErrorInfo", text(1, reason) + text(2, "fairlead") + bytes(3, text(1, key) + text(2, value)));
}

void StatusDetails::add_field_violation(std::string_view field, std::string_view description) {
  add("google.rpc.BadRequest", bytes(1, text(1, field) + text(2, description)));
}

void StatusDetails::add_quota_violation(std::string_view subject, std::string_view description) {
  add("google.rpc.QuotaFailure", bytes(1, text(1, subject) + text(2, description)));
}

void StatusDetails::add_retry_after(std::chrono::milliseconds delay) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(delay);
  const auto rest = std::chrono::nanoseconds(delay - seconds);
  const std::string duration =
      number(1, static_cast<uint64_t>(seconds.count())) + number(2, static_cast<uint64_t>(rest.count()));
  add("google.rpc.RetryInfo", bytes(1, duration));
}

grpc::Status StatusDetails::with(grpc::StatusCode code, std::string_view message) const {
  message = beginning(message, kMessageMax);
  std::string status = number(1, static_cast<uint64_t>(code)) + bytes(2, message) + details_;
  return {code, std::string(message), status};
}

}  // namespace fairlead::management
