#include "api/yaml_reader.h"

#include <cstdint>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "api/yaml_text.h"
#include "base/quoted.h"

namespace fairlead::api {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

bool is_wrapper(const Descriptor& type) {
  return type.file()->name() == "google/protobuf/wrappers.proto" && type.field_count() == 1;
}

const FieldDescriptor* find_field(const Descriptor& type, const std::string& key) {
  if (const FieldDescriptor* field = type.FindFieldByName(key)) return field;
  const FieldDescriptor* field = type.FindFieldByCamelcaseName(key);
  return field != nullptr && field->json_name() == key ? field : nullptr;
}

std::string known_fields(const Descriptor& type) {
  std::vector<absl::string_view> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  if (names.empty()) return absl::StrCat(type.name(), " has no fields");
  return absl::StrCat(type.name(), " has ", absl::StrJoin(names, ", "));
}

}  // namespace

absl::Status YamlReader::read(const YamlValue& root, Message& message) {
  if (root.kind == YamlKind::kNull) return absl::OkStatus();
  return read_message(root, message, Path{});
}

absl::Status YamlReader::read_message(const YamlValue& value, Message& message, const Path& path) {
  const std::string& type = message.GetDescriptor()->full_name();
  if (type.starts_with("google.protobuf.") && type != "google.protobuf.Empty") {
    return read_well_known(value, message, path);
  }
  if (value.kind != YamlKind::kMap) {
    return wrong(value, path, absl::StrCat("a map with the fields of ", message.GetDescriptor()->name()));
  }
  absl::flat_hash_set<const FieldDescriptor*> seen;
  for (std::size_t i = 0; i + 1 < value.children.size(); i += 2) {
    const YamlValue& key = *value.children[i];
    if (absl::Status status = read_pair(key, *value.children[i + 1], message, seen, path); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status YamlReader::read_pair(const YamlValue& key, const YamlValue& value, Message& message,
                                   absl::flat_hash_set<const FieldDescriptor*>& seen, const Path& path) {
  const Descriptor& type = *message.GetDescriptor();
  if (key.kind != YamlKind::kScalar) return wrong(key, path, "the name of a field");
  const FieldDescriptor* field = find_field(type, key.text);
  if (field == nullptr) {
    return error(key, path, absl::StrCat("unknown field ", base::quoted_excerpt(key.text), "; ", known_fields(type)));
  }
  const Path field_path{.parent = &path, .field = field->name(), .depth = path.depth + 1};
  if (!seen.insert(field).second) return error(key, field_path, "given twice");
  if (const auto* oneof = field->real_containing_oneof()) {
    if (const FieldDescriptor* other = message.GetReflection()->GetOneofFieldDescriptor(message, oneof)) {
      return error(key, field_path, absl::StrCat("only one of ", field->name(), " and ", other->name(), " may be set"));
    }
    // A member that is named means that choice; silence about it would not be what was meant.
    if (value.kind == YamlKind::kNull && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      return error(key, field_path, "has no value; {} is an empty one");
    }
  }
  return read_field(value, Slot{message, *field}, field_path);
}

absl::Status YamlReader::read_field(const YamlValue& value, Slot slot, const Path& path) {
  if (value.kind == YamlKind::kNull) return count(value, path);
  if (slot.field.is_map()) return read_map(value, slot, path);
  if (slot.field.is_repeated()) return read_list(value, slot, path);
  return read_scalar(value, slot, path);
}

absl::Status YamlReader::read_list(const YamlValue& value, Slot slot, const Path& path) {
  if (value.kind != YamlKind::kList) return wrong(value, path, "a list");
  if (absl::Status status = count(value, path); !status.ok()) return status;
  int index = 0;
  for (const YamlValue* element : value.children) {
    const Path element_path{.parent = path.parent, .field = path.field, .index = index++, .depth = path.depth};
    if (absl::Status status = read_scalar(*element, slot, element_path); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status YamlReader::read_map(const YamlValue& value, Slot slot, const Path& path) {
  if (value.kind != YamlKind::kMap) return wrong(value, path, "a map");
  if (absl::Status status = count(value, path); !status.ok()) return status;
  const Descriptor& entry_type = *slot.field.message_type();
  absl::flat_hash_set<absl::string_view> seen;
  for (std::size_t i = 0; i + 1 < value.children.size(); i += 2) {
    const YamlValue& key = *value.children[i];
    const YamlValue& mapped = *value.children[i + 1];
    const Path entry_path{.parent = &path, .field = key.text, .depth = path.depth + 1};
    if (key.kind != YamlKind::kScalar) return wrong(key, path, "a key");
    // Keys of numbers have one spelling only, so that equal keys are equal texts.
    if (!seen.insert(key.text).second) return error(key, entry_path, "given twice");
    Message& entry = *slot.message.GetReflection()->AddMessage(&slot.message, &slot.field);
    absl::Status status = read_scalar(key, Slot{entry, *entry_type.map_key()}, entry_path);
    if (status.ok()) status = read_scalar(mapped, Slot{entry, *entry_type.map_value()}, entry_path);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status YamlReader::read_submessage(const YamlValue& value, Slot slot, const Path& path) {
  const auto* reflection = slot.message.GetReflection();
  Message* message = slot.field.is_repeated() ? reflection->AddMessage(&slot.message, &slot.field)
                                              : reflection->MutableMessage(&slot.message, &slot.field);
  return read_message(value, *message, path);
}

absl::Status YamlReader::read_well_known(const YamlValue& value, Message& message, const Path& path) {
  const Descriptor& type = *message.GetDescriptor();
  const bool scalar = value.kind == YamlKind::kScalar;
  if (type.name() == "Duration") {
    const auto duration = scalar ? parse_duration(value.text) : std::nullopt;
    if (!duration) return wrong(value, path, "a duration such as \"2s\", \"250ms\" or \"1m30s\"");
    message.CopyFrom(*duration);
    return absl::OkStatus();
  }
  if (type.name() == "Timestamp") {
    const auto time = scalar ? parse_timestamp(value.text) : std::nullopt;
    if (!time) return wrong(value, path, "a time such as \"2026-01-31T12:30:00Z\"");
    message.CopyFrom(*time);
    return absl::OkStatus();
  }
  if (type.name() == "FieldMask") return read_field_mask(value, message, path);
  if (is_wrapper(type)) return read_scalar(value, Slot{message, *type.field(0)}, path);
  return error(value, path, absl::StrCat(type.full_name(), " cannot be written in YAML"));
}

// Written "weight,server_defaults.weight".
absl::Status YamlReader::read_field_mask(const YamlValue& value, Message& message, const Path& path) {
  if (value.kind != YamlKind::kScalar) return wrong(value, path, "a list of field paths such as \"weight,labels\"");
  const FieldDescriptor& paths = *message.GetDescriptor()->FindFieldByName("paths");
  std::string step;
  for (char c : value.text + ",") {
    if (c == ',') {
      if (!step.empty()) message.GetReflection()->AddString(&message, &paths, step);
      step.clear();
    } else if (c >= 'A' && c <= 'Z') {
      absl::StrAppend(&step, "_", std::string(1, static_cast<char>(c - 'A' + 'a')));
    } else if (c != ' ') {
      step += c;
    }
  }
  return absl::OkStatus();
}

absl::Status YamlReader::count(const YamlValue& value, const Path& path) {
  if (++values_read_ > limits_.values || path.depth > limits_.depth) {
    const std::string limit = path.depth > limits_.depth
                                  ? absl::StrCat("nested more than ", limits_.depth, " levels deep")
                                  : absl::StrCat("more than ", limits_.values, " values");
    return absl::ResourceExhaustedError(error(value, path, limit + "; that is the limit").message());
  }
  return absl::OkStatus();
}

absl::Status YamlReader::error(const YamlValue& value, const Path& path, absl::string_view message) const {
  std::string text;
  for (const Path* step = &path; step->parent != nullptr; step = step->parent) {
    const std::string index = step->index < 0 ? "" : absl::StrCat("[", step->index, "]");
    const std::string name(step->field.substr(0, 80));
    text = absl::StrCat(name, index, text.empty() ? "" : ".", text);
  }
  if (!text.empty()) text += ": ";
  return yaml_error(file_name_, value.place, absl::StrCat(text, message));
}

absl::Status YamlReader::wrong(const YamlValue& value, const Path& path, absl::string_view what) const {
  std::string given;
  switch (value.kind) {
    case YamlKind::kNull:
      given = "nothing";
      break;
    case YamlKind::kScalar:
      given = base::quoted_excerpt(value.text);
      break;
    case YamlKind::kList:
      given = "a list";
      break;
    case YamlKind::kMap:
      given = "a map";
      break;
  }
  return error(value, path, absl::StrCat(given, " is not ", what));
}

}  // namespace fairlead::api
