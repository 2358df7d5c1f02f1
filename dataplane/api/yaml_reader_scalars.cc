#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "api/yaml_reader.h"
#include "api/yaml_text.h"

namespace fairlead::api {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;

namespace {

template <typename Slot, typename Value>
void put(const Slot& slot, const Value& value) {
  const auto* reflection = slot.message.GetReflection();
  const bool add = slot.field.is_repeated();
  if constexpr (std::is_same_v<Value, std::int32_t>) {
    add ? reflection->AddInt32(&slot.message, &slot.field, value)
        : reflection->SetInt32(&slot.message, &slot.field, value);
  } else if constexpr (std::is_same_v<Value, std::int64_t>) {
    add ? reflection->AddInt64(&slot.message, &slot.field, value)
        : reflection->SetInt64(&slot.message, &slot.field, value);
  } else if constexpr (std::is_same_v<Value, std::uint32_t>) {
    add ? reflection->AddUInt32(&slot.message, &slot.field, value)
        : reflection->SetUInt32(&slot.message, &slot.field, value);
  } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
    add ? reflection->AddUInt64(&slot.message, &slot.field, value)
        : reflection->SetUInt64(&slot.message, &slot.field, value);
  } else if constexpr (std::is_same_v<Value, double>) {
    add ? reflection->AddDouble(&slot.message, &slot.field, value)
        : reflection->SetDouble(&slot.message, &slot.field, value);
  } else if constexpr (std::is_same_v<Value, float>) {
    add ? reflection->AddFloat(&slot.message, &slot.field, value)
        : reflection->SetFloat(&slot.message, &slot.field, value);
  } else if constexpr (std::is_same_v<Value, bool>) {
    add ? reflection->AddBool(&slot.message, &slot.field, value)
        : reflection->SetBool(&slot.message, &slot.field, value);
  } else {
    static_assert(std::is_same_v<Value, std::string>);
    add ? reflection->AddString(&slot.message, &slot.field, value)
        : reflection->SetString(&slot.message, &slot.field, value);
  }
}

// JSON's mapping allows "1e3" and "2.0" for a whole number.
template <typename Integer>
bool parse_integer(absl::string_view text, Integer& result) {
  if (!is_json_number(text)) return false;
  if (text.find_first_of(".eE") == absl::string_view::npos) return absl::SimpleAtoi(text, &result);
  double number = 0;
  constexpr double kExactMax = 9007199254740992.0;  // 2^53: whole numbers up to it are exact in a double
  if (!absl::SimpleAtod(text, &number) || std::floor(number) != number || std::abs(number) > kExactMax) return false;
  if (number < static_cast<double>(std::numeric_limits<Integer>::min())) return false;
  if (number > static_cast<double>(std::numeric_limits<Integer>::max())) return false;
  result = static_cast<Integer>(number);
  return true;
}

bool is_map_key(const FieldDescriptor& field) { return field.containing_type()->map_key() == &field; }

bool parse_float(absl::string_view text, double& result) {
  if (text == "Infinity" || text == ".inf" || text == "-Infinity" || text == "-.inf") {
    result = std::numeric_limits<double>::infinity() * (text[0] == '-' ? -1 : 1);
    return true;
  }
  if (text == "NaN" || text == ".nan") {
    result = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  // SimpleAtod makes an infinity of what is too large.
  return is_json_number(text) && absl::SimpleAtod(text, &result) && std::isfinite(result);
}

const EnumValueDescriptor* find_enum_value(const EnumDescriptor& type, const YamlValue& value) {
  int number = 0;
  if (!value.quoted && absl::SimpleAtoi(value.text, &number)) return type.FindValueByNumber(number);
  if (const EnumValueDescriptor* found = type.FindValueByName(value.text)) return found;
  for (int i = 0; i < type.value_count(); ++i) {
    if (short_enum_name(*type.value(i)) == value.text) return type.value(i);
  }
  return nullptr;
}

// "one of TCP, HTTP", without the value that means unset.
std::string enum_choices(const EnumDescriptor& type) {
  std::string text;
  for (int i = 0; i < type.value_count(); ++i) {
    const absl::string_view name = short_enum_name(*type.value(i));
    if (name != "UNSPECIFIED") absl::StrAppend(&text, text.empty() ? "" : ", ", name);
  }
  return absl::StrCat("one of ", text);
}

}  // namespace

absl::Status YamlReader::read_scalar(const YamlValue& value, Slot slot, const Path& path) {
  if (absl::Status status = count(value, path); !status.ok()) return status;
  switch (slot.field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return read_integer<std::int32_t>(value, slot, path);
    case FieldDescriptor::CPPTYPE_INT64:
      return read_integer<std::int64_t>(value, slot, path);
    case FieldDescriptor::CPPTYPE_UINT32:
      return read_integer<std::uint32_t>(value, slot, path);
    case FieldDescriptor::CPPTYPE_UINT64:
      return read_integer<std::uint64_t>(value, slot, path);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return read_float<double>(value, slot, path);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return read_float<float>(value, slot, path);
    case FieldDescriptor::CPPTYPE_BOOL:
      return read_bool(value, slot, path);
    case FieldDescriptor::CPPTYPE_ENUM:
      return read_enum(value, slot, path);
    case FieldDescriptor::CPPTYPE_STRING:
      return read_string(value, slot, path);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return read_submessage(value, slot, path);
  }
  return error(value, path, "a type of field that YAML cannot express");
}

template <typename Integer>
absl::Status YamlReader::read_integer(const YamlValue& value, Slot slot, const Path& path) {
  Integer number = 0;
  // Equal keys must be equal texts, for duplicates to be seen: neither "1e0" nor "-0".
  const bool spelled_well = !is_map_key(slot.field) || absl::SimpleAtoi(value.text, &number);
  const bool parsed = value.kind == YamlKind::kScalar && spelled_well && parse_integer(value.text, number);
  if (!parsed || (is_map_key(slot.field) && value.text == "-0")) {
    using Limits = std::numeric_limits<Integer>;
    return wrong(value, path, absl::StrCat("a number from ", Limits::min(), " to ", Limits::max()));
  }
  put(slot, number);
  return absl::OkStatus();
}

template <typename Float>
absl::Status YamlReader::read_float(const YamlValue& value, Slot slot, const Path& path) {
  double number = 0;
  const bool parsed = value.kind == YamlKind::kScalar && parse_float(value.text, number);
  const bool fits = !std::isfinite(number) || std::abs(number) <= std::numeric_limits<Float>::max();
  if (!parsed || !fits) return wrong(value, path, parsed ? "a number in range" : "a number");
  put(slot, static_cast<Float>(number));
  return absl::OkStatus();
}

absl::Status YamlReader::read_bool(const YamlValue& value, Slot slot, const Path& path) {
  const bool is_key = is_map_key(slot.field);
  const bool plain = value.kind == YamlKind::kScalar && (!value.quoted || is_key);
  if (!plain || (value.text != "true" && value.text != "false")) return wrong(value, path, "true or false");
  put(slot, value.text == "true");
  return absl::OkStatus();
}

absl::Status YamlReader::read_enum(const YamlValue& value, Slot slot, const Path& path) {
  const EnumDescriptor& type = *slot.field.enum_type();
  const EnumValueDescriptor* found = value.kind == YamlKind::kScalar ? find_enum_value(type, value) : nullptr;
  if (found == nullptr) return wrong(value, path, enum_choices(type));
  const auto* reflection = slot.message.GetReflection();
  slot.field.is_repeated() ? reflection->AddEnum(&slot.message, &slot.field, found)
                           : reflection->SetEnum(&slot.message, &slot.field, found);
  return absl::OkStatus();
}

// A plain `5` or `yes` is a string where the schema wants one: the type is known, so there is nothing to guess.
absl::Status YamlReader::read_string(const YamlValue& value, Slot slot, const Path& path) {
  if (value.kind != YamlKind::kScalar) return wrong(value, path, "a string");
  if (slot.field.type() != FieldDescriptor::TYPE_BYTES) {
    put(slot, value.text);
    return absl::OkStatus();
  }
  std::string bytes;
  if (!absl::Base64Unescape(value.text, &bytes) && !absl::WebSafeBase64Unescape(value.text, &bytes)) {
    return wrong(value, path, "base64");
  }
  put(slot, bytes);
  return absl::OkStatus();
}

}  // namespace fairlead::api
