#include "desired/yaml.h"

#include <yaml-cpp/yaml.h>

#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace fairlead::desired {
namespace {

namespace api = fairlead::v1;
using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string quoted(const std::string& text) {
  return absl::StrCat("\"", text.size() > 64 ? text.substr(0, 61) + "..." : text, "\"");
}

// "PROTOCOL_" for Protocol, "ADMIN_STATE_" for AdminState.
std::string prefix_of(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (c >= 'A' && c <= 'Z' && !prefix.empty()) prefix += '_';
    prefix += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return prefix + "_";
}

const EnumValueDescriptor* find_value(const EnumDescriptor& type, const std::string& name) {
  const EnumValueDescriptor* value = type.FindValueByName(name);
  return value != nullptr ? value : type.FindValueByName(prefix_of(type) + name);
}

std::string values_of(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 1; i < type.value_count(); ++i) {
    names.emplace_back(absl::StripPrefix(type.value(i)->name(), prefix_of(type)));
  }
  return absl::StrJoin(names, ", ");
}

const FieldDescriptor* find_field(const Descriptor& type, const std::string& key) {
  const FieldDescriptor* field = type.FindFieldByName(key);
  return field != nullptr ? field : type.FindFieldByCamelcaseName(key);
}

std::string fields_of(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return absl::StrJoin(names, ", ");
}

// Of resources alone, which all have metadata: a redirect's status is input.
bool is_output_only(const FieldDescriptor& field) {
  return (field.name() == "metadata" || field.name() == "status") &&
         field.containing_type()->FindFieldByName("metadata") != nullptr;
}

// Fills a message from a tree, by its descriptor. The first error ends it.
class Reader {
 public:
  Reader(std::string file_name, std::size_t values_most)
      : file_name_(std::move(file_name)), values_most_(values_most) {}

  absl::Status read(const YAML::Node& node, Message& message, const std::string& path);
  absl::Status error(const YAML::Node& node, const std::string& path, const std::string& why) const;

 private:
  absl::Status read_field(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                          const std::string& path);
  absl::Status read_list(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                         const std::string& path);
  absl::Status read_map(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                        const std::string& path);
  // One value: of the field, or of its next element where it is repeated.
  absl::Status read_value(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                          const std::string& path);
  absl::Status read_duration(const YAML::Node& node, Message& message, const std::string& path);
  absl::Status read_number(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                           const std::string& path);

  const std::string file_name_;
  const std::size_t values_most_;
  std::size_t values_ = 0;
};

absl::Status Reader::error(const YAML::Node& node, const std::string& path, const std::string& why) const {
  const YAML::Mark mark = node.Mark();
  const std::string place = mark.is_null() ? file_name_ : absl::StrCat(file_name_, ":", mark.line + 1);
  return absl::InvalidArgumentError(absl::StrCat(place, ": ", path, path.empty() ? "" : ": ", why));
}

absl::Status Reader::read(const YAML::Node& node, Message& message, const std::string& path) {
  if (++values_ > values_most_) return error(node, path, absl::StrCat("more than ", values_most_, " values"));
  if (node.IsNull()) return absl::OkStatus();
  const Descriptor& type = *message.GetDescriptor();
  if (type.full_name() == "google.protobuf.Duration") return read_duration(node, message, path);
  if (!node.IsMap()) return error(node, path, absl::StrCat("is not a map with the fields of ", type.name()));
  std::set<const FieldDescriptor*> seen;
  for (const auto& pair : node) {
    if (!pair.first.IsScalar()) return error(pair.first, path, "a field's name is a text");
    const std::string& key = pair.first.Scalar();
    const FieldDescriptor* field = find_field(type, key);
    if (field == nullptr) {
      return error(pair.first, path,
                   absl::StrCat("unknown field ", quoted(key), "; ", type.name(), " has ", fields_of(type)));
    }
    const std::string within = absl::StrCat(path, path.empty() ? "" : ".", field->name());
    if (!seen.insert(field).second) return error(pair.first, within, "is there twice");
    if (is_output_only(*field)) continue;
    if (absl::Status status = read_field(pair.second, message, *field, within); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Reader::read_field(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                                const std::string& path) {
  if (node.IsNull()) return absl::OkStatus();
  const auto* oneof = field.real_containing_oneof();
  if (oneof != nullptr && message.GetReflection()->HasOneof(message, oneof)) {
    return error(node, path, absl::StrCat("only one of ", oneof->name(), " may be there"));
  }
  if (field.is_map()) return read_map(node, message, field, path);
  if (field.is_repeated()) return read_list(node, message, field, path);
  return read_value(node, message, field, path);
}

absl::Status Reader::read_list(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                               const std::string& path) {
  if (!node.IsSequence()) return error(node, path, "is not a list");
  std::size_t index = 0;
  for (const YAML::Node& element : node) {
    const std::string within = absl::StrCat(path, "[", index++, "]");
    if (absl::Status status = read_value(element, message, field, within); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Reader::read_map(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                              const std::string& path) {
  if (!node.IsMap()) return error(node, path, "is not a map");
  const Descriptor& entry = *field.message_type();
  std::set<std::string> seen;
  for (const auto& pair : node) {
    Message& made = *message.GetReflection()->AddMessage(&message, &field);
    if (absl::Status status = read_value(pair.first, made, *entry.map_key(), path); !status.ok()) return status;
    const std::string& key = pair.first.Scalar();
    const std::string within = absl::StrCat(path, ".", key);
    if (!seen.insert(key).second) return error(pair.first, within, "is there twice");
    if (absl::Status status = read_value(pair.second, made, *entry.map_value(), within); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Reader::read_value(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                                const std::string& path) {
  const auto& reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return read(
        node,
        field.is_repeated() ? *reflection.AddMessage(&message, &field) : *reflection.MutableMessage(&message, &field),
        path);
  }
  if (++values_ > values_most_) return error(node, path, absl::StrCat("more than ", values_most_, " values"));
  if (!node.IsScalar()) return error(node, path, "is not a single value");
  const std::string& text = node.Scalar();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      field.is_repeated() ? reflection.AddString(&message, &field, text) : reflection.SetString(&message, &field, text);
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return error(node, path, quoted(text) + " is neither true nor false");
      reflection.SetBool(&message, &field, text == "true");
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumValueDescriptor* value = find_value(*field.enum_type(), text);
      if (value == nullptr) {
        return error(node, path, absl::StrCat(quoted(text), " is none of ", values_of(*field.enum_type())));
      }
      field.is_repeated() ? reflection.AddEnum(&message, &field, value) : reflection.SetEnum(&message, &field, value);
      return absl::OkStatus();
    }
    default:
      return read_number(node, message, field, path);
  }
}

// Resources have no other numbers than unsigned ones, and lists of them only of 32 bits.
absl::Status Reader::read_number(const YAML::Node& node, Message& message, const FieldDescriptor& field,
                                 const std::string& path) {
  const bool wide = field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
  if (wide ? field.is_repeated() : field.cpp_type() != FieldDescriptor::CPPTYPE_UINT32) {
    return error(node, path, "cannot be written here");
  }
  const std::uint64_t most = wide ? std::numeric_limits<std::uint64_t>::max() : 4294967295;
  std::uint64_t number = 0;
  if (!absl::SimpleAtoi(node.Scalar(), &number) || number > most) {
    return error(node, path, absl::StrCat(quoted(node.Scalar()), " is not a number from 0 to ", most));
  }
  const auto& reflection = *message.GetReflection();
  if (wide) {
    reflection.SetUInt64(&message, &field, number);
  } else if (field.is_repeated()) {
    reflection.AddUInt32(&message, &field, static_cast<std::uint32_t>(number));
  } else {
    reflection.SetUInt32(&message, &field, static_cast<std::uint32_t>(number));
  }
  return absl::OkStatus();
}

absl::Status Reader::read_duration(const YAML::Node& node, Message& message, const std::string& path) {
  absl::Duration duration;
  const bool plain = node.IsScalar() && absl::ParseDuration(node.Scalar(), &duration);
  // The schema's own limit is about 10,000 years.
  if (!plain || duration > absl::Seconds(315'576'000'000) || duration < -absl::Seconds(315'576'000'000)) {
    const std::string text = node.IsScalar() ? quoted(node.Scalar()) + " " : "";
    return error(node, path, text + R"(is not a duration such as "2s", "250ms" or "1m30s")");
  }
  auto& made = static_cast<google::protobuf::Duration&>(message);
  made.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  made.set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(duration)));
  return absl::OkStatus();
}

// The value at "backends[0].servers[1].weight", or the nearest one around it that is there.
YAML::Node find_node(const YAML::Node& root, const std::string& path) {
  YAML::Node found;
  found.reset(root);
  for (absl::string_view part : absl::StrSplit(path, '.')) {
    const std::pair<absl::string_view, absl::string_view> halves = absl::StrSplit(part, absl::MaxSplits('[', 1));
    if (!found.IsMap() || !found[std::string(halves.first)]) return found;
    found.reset(found[std::string(halves.first)]);
    std::size_t index = 0;
    if (!absl::SimpleAtoi(absl::StripSuffix(halves.second, "]"), &index)) continue;
    if (!found.IsSequence() || index >= found.size()) return found;
    found.reset(found[index]);
  }
  return found;
}

absl::StatusOr<std::shared_ptr<const Configuration>> read_document(const YAML::Node& root, const std::string& file_name,
                                                                   std::size_t values_most) {
  Reader reader(file_name, values_most);
  // A text without anything is more likely a mistake than the wish to have nothing ("backends: []").
  if (root.IsNull()) return absl::InvalidArgumentError(absl::StrCat(file_name, ": is empty"));
  if (!root.IsMap()) return reader.error(root, "", "is not a map with listeners, backends, servers, certificates");
  const bool wrapped = static_cast<bool>(root["resources"]);
  for (const auto& pair : root) {
    if (wrapped && (!pair.first.IsScalar() || pair.first.Scalar() != "resources")) {
      return reader.error(pair.first, "", "beside resources nothing can be set on a data plane that runs");
    }
  }
  const std::string prefix = wrapped ? "resources" : "";
  const YAML::Node resources_node = wrapped ? root["resources"] : root;
  api::Resources resources;
  if (absl::Status status = reader.read(resources_node, resources, prefix); !status.ok()) return status;
  auto made = Configuration::make(std::move(resources));
  if (made.ok()) return made;
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(std::string(made.status().message()), absl::MaxSplits(": ", 1));
  return reader.error(find_node(resources_node, parts.first), absl::StrCat(prefix, wrapped ? "." : "", parts.first),
                      parts.second);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Configuration>> parse_configuration(const std::string& text,
                                                                         const std::string& file_name,
                                                                         std::size_t values_most) {
  // Exceptions are yaml-cpp's way to say that a text is no YAML; they go no further than this.
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.empty()) return absl::InvalidArgumentError(absl::StrCat(file_name, ": is empty"));
    if (documents.size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(file_name, ":", documents[1].Mark().line + 1, ": a second document; only one is read"));
    }
    return read_document(documents[0], file_name, values_most);
  } catch (const YAML::Exception& exception) {
    const std::string line = exception.mark.is_null() ? "" : absl::StrCat(":", exception.mark.line + 1);
    return absl::InvalidArgumentError(absl::StrCat(file_name, line, ": ", exception.msg));
  }
}

}  // namespace fairlead::desired
