#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "api/yaml.h"
#include "api/yaml_text.h"
#include "base/quoted.h"
#include "google/protobuf/descriptor.h"

namespace fairlead::api {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A value of a field; `index` is negative where the field is not repeated.
struct Element {
  const Message& message;
  const FieldDescriptor& field;
  int index = -1;
};

// Reads an element by a pair of Reflection's methods, for a single and for a repeated field.
template <typename Single, typename Repeated>
decltype(auto) get(const Element& element, Single single, Repeated repeated) {
  const auto* reflection = element.message.GetReflection();
  return element.index < 0 ? (reflection->*single)(element.message, &element.field)
                           : (reflection->*repeated)(element.message, &element.field, element.index);
}

const Message& submessage(const Element& element) {
  const auto* reflection = element.message.GetReflection();
  return element.index < 0 ? reflection->GetMessage(element.message, &element.field)
                           : reflection->GetRepeatedMessage(element.message, &element.field, element.index);
}

template <typename Float>
std::string float_text(Float number) {
  if (std::isnan(number)) return ".nan";
  if (std::isinf(number)) return number < 0 ? "-.inf" : ".inf";
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), number);
  return std::string(buffer, result.ptr);
}

std::string enum_text(const Element& element) {
  using google::protobuf::Reflection;
  const int number = get(element, &Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue);
  const auto* value = element.field.enum_type()->FindValueByNumber(number);
  return value == nullptr ? absl::StrCat(number) : plain_or_quoted(short_enum_name(*value));
}

std::string string_text(const Element& element) {
  using google::protobuf::Reflection;
  const std::string text = get(element, &Reflection::GetString, &Reflection::GetRepeatedString);
  if (element.field.type() == FieldDescriptor::TYPE_BYTES) return base::quoted(absl::Base64Escape(text));
  return plain_or_quoted(text);
}

// Which is better read as it is, line by line: PEM.
bool is_text_of_lines(const Element& element) {
  if (element.index >= 0 || element.field.type() != FieldDescriptor::TYPE_STRING) return false;
  const std::string text = element.message.GetReflection()->GetString(element.message, &element.field);
  const auto is_printable = [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); };
  return text.size() > 1 && text.back() == '\n' && text.front() != ' ' && text.front() != '\n' &&
         text[text.size() - 2] != '\n' && std::ranges::all_of(text, is_printable);
}

// Of a type that is not a message.
std::string scalar_text(const Element& element) {
  using google::protobuf::Reflection;
  switch (element.field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(get(element, &Reflection::GetInt32, &Reflection::GetRepeatedInt32));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(get(element, &Reflection::GetInt64, &Reflection::GetRepeatedInt64));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(get(element, &Reflection::GetUInt32, &Reflection::GetRepeatedUInt32));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(get(element, &Reflection::GetUInt64, &Reflection::GetRepeatedUInt64));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return float_text(get(element, &Reflection::GetDouble, &Reflection::GetRepeatedDouble));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return float_text(get(element, &Reflection::GetFloat, &Reflection::GetRepeatedFloat));
    case FieldDescriptor::CPPTYPE_BOOL:
      return get(element, &Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return enum_text(element);
    case FieldDescriptor::CPPTYPE_STRING:
      return string_text(element);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return {};
}

bool is_scalar_message(const Descriptor& type) {
  return type.full_name() != "google.protobuf.Empty" && type.full_name().starts_with("google.protobuf.");
}

bool is_scalar(const FieldDescriptor& field) {
  return field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || is_scalar_message(*field.message_type());
}

template <typename Concrete>
Concrete concrete(const Message& message) {
  Concrete copy;
  copy.CopyFrom(message);
  return copy;
}

// Duration, Timestamp, FieldMask and the wrappers.
std::string scalar_message_text(const Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  if (type.name() == "Duration") return format_duration(concrete<google::protobuf::Duration>(message));
  if (type.name() == "Timestamp") return base::quoted(format_timestamp(concrete<google::protobuf::Timestamp>(message)));
  const FieldDescriptor& field = *type.field(0);
  if (!field.is_repeated()) return scalar_text({message, field});
  std::vector<std::string> paths;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    paths.push_back(message.GetReflection()->GetRepeatedString(message, &field, i));
  }
  return base::quoted(absl::StrJoin(paths, ","));
}

std::string value_text(const Element& element) {
  const bool is_message = element.field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  return is_message ? scalar_message_text(submessage(element)) : scalar_text(element);
}

// Of resources alone, which all have metadata: a redirect's status is input.
bool is_output_only(const FieldDescriptor& field) {
  return (field.name() == "metadata" || field.name() == "status") &&
         field.containing_type()->FindFieldByName("metadata") != nullptr;
}

class Writer {
 public:
  explicit Writer(const YamlStyle& style) : style_(style) {}

  std::string write(const Message& root) {
    if (write_fields(root) == 0) out_ = "{}\n";
    return std::move(out_);
  }

 private:
  bool is_written(const Message& message, const FieldDescriptor& field) const {
    if (!style_.output_only_fields && is_output_only(field)) return false;
    const auto* reflection = message.GetReflection();
    return field.is_repeated() ? reflection->FieldSize(message, &field) > 0 : reflection->HasField(message, &field);
  }

  // How many it wrote.
  int write_fields(const Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    int written = 0;
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (!is_written(message, field)) continue;
      ++written;
      begin_line();
      absl::StrAppend(&out_, field.name(), ":");
      if (field.is_map()) {
        write_map(message, field);
      } else if (field.is_repeated()) {
        write_list(message, field);
      } else {
        write_value({message, field});
      }
    }
    return written;
  }

  // After "name:".
  void write_value(const Element& element) {
    if (is_scalar(element.field)) {
      if (is_text_of_lines(element)) return write_lines(element);
      absl::StrAppend(&out_, " ", value_text(element), "\n");
      return;
    }
    out_ += '\n';
    indent_ += 2;
    const int written = write_fields(submessage(element));
    indent_ -= 2;
    if (written > 0) return;
    out_.pop_back();
    out_ += " {}\n";
  }

  void write_lines(const Element& element) {
    const std::string text = element.message.GetReflection()->GetString(element.message, &element.field);
    out_ += " |\n";
    for (absl::string_view line : absl::StrSplit(absl::StripSuffix(text, "\n"), '\n')) {
      if (!line.empty()) absl::StrAppend(&out_, std::string(indent_ + 2, ' '), line);
      out_ += '\n';
    }
  }

  void write_list(const Message& message, const FieldDescriptor& field) {
    const int size = message.GetReflection()->FieldSize(message, &field);
    if (is_scalar(field)) {
      std::vector<std::string> texts;
      for (int i = 0; i < size; ++i) texts.push_back(value_text({message, field, i}));
      write_scalars(texts);
      return;
    }
    out_ += '\n';
    for (int i = 0; i < size; ++i) write_item(message.GetReflection()->GetRepeatedMessage(message, &field, i));
  }

  void write_item(const Message& item) {
    indent_ += 2;
    begin_line();
    out_ += "- ";
    continues_ = true;
    indent_ += 2;
    const int written = write_fields(item);
    indent_ -= 4;
    if (written > 0) return;
    continues_ = false;
    out_ += "{}\n";
  }

  // On one line where it is short.
  void write_scalars(const std::vector<std::string>& texts) {
    const std::string joined = absl::StrJoin(texts, ", ");
    if (joined.size() <= 80) {
      absl::StrAppend(&out_, " [", joined, "]\n");
      return;
    }
    out_ += '\n';
    for (const std::string& text : texts) absl::StrAppend(&out_, std::string(indent_ + 2, ' '), "- ", text, "\n");
  }

  void write_map(const Message& message, const FieldDescriptor& field) {
    const auto* reflection = message.GetReflection();
    std::vector<std::pair<std::string, const Message*>> entries;
    for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
      const Message& entry = reflection->GetRepeatedMessage(message, &field, i);
      entries.emplace_back(scalar_text({entry, *field.message_type()->map_key()}), &entry);
    }
    std::ranges::sort(entries);
    out_ += '\n';
    indent_ += 2;
    for (const auto& [key, entry] : entries) {
      begin_line();
      absl::StrAppend(&out_, key, ":");
      write_value({*entry, *field.message_type()->map_value()});
    }
    indent_ -= 2;
  }

  // Indents, unless the line begins after a list's dash.
  void begin_line() {
    if (!continues_) out_.append(indent_, ' ');
    continues_ = false;
  }

  const YamlStyle& style_;
  std::string out_;
  std::size_t indent_ = 0;
  bool continues_ = false;
};

}  // namespace

std::string to_yaml(const Message& message, const YamlStyle& style) { return Writer(style).write(message); }

}  // namespace fairlead::api
