#include "client_digest.h"

#include <openssl/sha.h>

#include <map>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"

namespace fairlead::management {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
  out += static_cast<char>(value);
}
void put_number(std::string& out, int field, uint64_t value) {
  put_varint(out, static_cast<uint64_t>(field) << 3);
  put_varint(out, value);
}
void put_bytes(std::string& out, int field, std::string_view bytes) {
  put_varint(out, static_cast<uint64_t>(field) << 3 | 2);
  put_varint(out, bytes.size());
  out += bytes;
}

bool is_output(const FieldDescriptor& field) {
  return field.name() == "metadata" || field.name() == "status" ||
         (field.containing_type() == v1::Backend::descriptor() && field.name() == "servers");
}

void put_labels(std::string& out, const Message& message, const FieldDescriptor& field) {
  std::map<std::string, std::string> sorted;
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    const auto& parts = *entry.GetDescriptor();
    sorted[entry.GetReflection()->GetString(entry, parts.field(0))] =
        entry.GetReflection()->GetString(entry, parts.field(1));
  }
  for (const auto& [key, value] : sorted) {
    std::string entry;
    put_bytes(entry, 1, key);
    put_bytes(entry, 2, value);
    put_bytes(out, field.number(), entry);
  }
}

// Numbers and enums, in one field.
void put_packed(std::string& out, const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  std::string packed;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    bool is_enum = field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM;
    put_varint(packed, is_enum ? static_cast<uint64_t>(reflection.GetRepeatedEnumValue(message, &field, i))
                               : reflection.GetRepeatedUInt32(message, &field, i));
  }
  put_bytes(out, field.number(), packed);
}

void put_repeated(std::string& out, const Message& message, const FieldDescriptor& field) {
  if (field.is_packable()) return put_packed(out, message, field);
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    bool is_text = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    put_bytes(out, field.number(),
              is_text ? reflection.GetRepeatedString(message, &field, i)
                      : canonical_bytes(reflection.GetRepeatedMessage(message, &field, i)));
  }
}

void put_single(std::string& out, const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return put_bytes(out, field.number(), reflection.GetString(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return put_number(out, field.number(), reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return put_number(out, field.number(), reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return put_number(out, field.number(), reflection.GetBool(message, &field) ? 1 : 0);
    case FieldDescriptor::CPPTYPE_INT32:
      return put_number(out, field.number(), static_cast<uint64_t>(int64_t{reflection.GetInt32(message, &field)}));
    case FieldDescriptor::CPPTYPE_INT64:
      return put_number(out, field.number(), static_cast<uint64_t>(reflection.GetInt64(message, &field)));
    case FieldDescriptor::CPPTYPE_ENUM:
      return put_number(out, field.number(), static_cast<uint64_t>(reflection.GetEnumValue(message, &field)));
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      std::string inner = canonical_bytes(reflection.GetMessage(message, &field));
      bool is_duration = field.message_type() == google::protobuf::Duration::descriptor();
      bool is_choice = field.real_containing_oneof() != nullptr;
      if (!inner.empty() || is_duration || is_choice) put_bytes(out, field.number(), inner);
      return;
    }
    default:
      GOOGLE_LOG(FATAL) << field.full_name() << " is of a type that resources did not have";
  }
}

uint64_t little_endian(const unsigned char* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

std::string canonical_bytes(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  // In the order of their numbers; those without explicit presence where they are not the default.
  message.GetReflection()->ListFields(message, &fields);
  std::string out;
  for (const FieldDescriptor* field : fields) {
    if (is_output(*field)) continue;
    if (field->is_map()) {
      put_labels(out, message, *field);
    } else if (field->is_repeated()) {
      put_repeated(out, message, *field);
    } else {
      put_single(out, message, *field);
    }
  }
  return out;
}

void ClientDigest::add(uint8_t kind, const Message& message) {
  std::string text(1, static_cast<char>(kind));
  text += canonical_bytes(message);
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash);
  for (size_t i = 0; i < sum_.size(); ++i) sum_[i] += little_endian(hash + 8 * i);
}

std::string ClientDigest::bytes() const {
  std::string out;
  for (uint64_t number : sum_) {
    for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(number >> shift);
  }
  return out;
}

std::string digest_of(const v1::Resources& resources) {
  ClientDigest digest;
  for (const v1::Listener& listener : resources.listeners()) digest.add(listener);
  for (const v1::Backend& backend : resources.backends()) digest.add(backend);
  for (const v1::Server& server : resources.servers()) digest.add(server);
  return digest.bytes();
}

}  // namespace fairlead::management
