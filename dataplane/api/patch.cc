#include "api/patch.h"

#include <memory>

#include "absl/strings/str_split.h"
#include "config/text.h"
#include "config/validate.h"
#include "google/protobuf/util/field_mask_util.h"

namespace fairlead::api {
namespace {

using config::concat;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::FieldMaskUtil;

const Message* resource_message(const v1::Resource& resource) {
  switch (resource.kind_case()) {
    case v1::Resource::kServer:
      return &resource.server();
    case v1::Resource::kBackend:
      return &resource.backend();
    case v1::Resource::kListener:
      return &resource.listener();
    case v1::Resource::kCertificate:
      return &resource.certificate();
    case v1::Resource::KIND_NOT_SET:
      return nullptr;
  }
  return nullptr;
}

config::Problem check_path(const std::string& path, const Descriptor* descriptor) {
  std::vector<const FieldDescriptor*> fields;
  // Names that are empty would be passed over.
  const bool is_spelled = !path.starts_with('.') && !path.ends_with('.') && !path.contains("..");
  if (!is_spelled || !FieldMaskUtil::GetFieldDescriptors(descriptor, path, &fields) || fields.empty()) {
    return concat(config::quoted(path), " is not a field of ", descriptor->name());
  }
  std::string root = fields.front()->name();
  if (root == "metadata" || root == "status") return concat(config::quoted(path), " is output only");
  if (root == "name" || root == "backend") return concat(config::quoted(path), " names the resource and cannot change");
  if (root == "servers") {
    return concat(config::quoted(path), " cannot be changed through its backend; change the servers themselves");
  }
  return std::nullopt;
}

config::Problem check_names(const v1::Resource& resource) {
  switch (resource.kind_case()) {
    case v1::Resource::kServer:
      if (config::Problem problem = config::check_name(resource.server().backend())) return "backend: " + *problem;
      return config::check_name(resource.server().name());
    case v1::Resource::kBackend:
      return config::check_name(resource.backend().name());
    case v1::Resource::kCertificate:
      return config::check_name(resource.certificate().name());
    default:
      return config::check_name(resource.listener().name());
  }
}

using Names = std::vector<absl::string_view>;

const FieldDescriptor* field_at(const Names& path, size_t depth, const Message& message) {
  return message.GetDescriptor()->FindFieldByName(std::string(path[depth]));
}

bool is_set(const Message& message, const FieldDescriptor* field) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  return field->is_repeated() ? reflection->FieldSize(message, field) > 0 : reflection->HasField(message, field);
}

bool is_set(const Names& path, size_t depth, const Message& message) {
  const FieldDescriptor* field = field_at(path, depth, message);
  if (depth + 1 == path.size() || !is_set(message, field)) return is_set(message, field);
  return is_set(path, depth + 1, message.GetReflection()->GetMessage(message, field));
}

// Requires that it is set in `source`.
void copy_field(const Names& path, size_t depth, Message& source, Message& target) {
  const FieldDescriptor* field = field_at(path, depth, target);
  const google::protobuf::Reflection* reflection = target.GetReflection();
  if (depth + 1 == path.size()) return reflection->SwapFields(&source, &target, {field});
  copy_field(path, depth + 1, *reflection->MutableMessage(&source, field), *reflection->MutableMessage(&target, field));
}

// What is not there stays so: a part of a message that is unset makes no empty one, which would mean something.
void clear_field(const Names& path, size_t depth, Message& target) {
  const FieldDescriptor* field = field_at(path, depth, target);
  if (!is_set(target, field)) return;
  const google::protobuf::Reflection* reflection = target.GetReflection();
  if (depth + 1 == path.size()) return reflection->ClearField(&target, field);
  clear_field(path, depth + 1, *reflection->MutableMessage(&target, field));
}

}  // namespace

std::string title_of(const v1::Resource& resource) {
  switch (resource.kind_case()) {
    case v1::Resource::kServer:
      return server_title(resource.server().backend(), resource.server().name());
    case v1::Resource::kBackend:
      return backend_title(resource.backend().name());
    case v1::Resource::kListener:
      return listener_title(resource.listener().name());
    case v1::Resource::kCertificate:
      return certificate_title(resource.certificate().name());
    default:
      return "operation";
  }
}

std::optional<Failure> check_patch(const v1::Patch& patch) {
  const v1::Resource& resource = patch.resource();
  std::string title = title_of(resource);
  const Message* message = resource_message(resource);
  if (!message) {
    return Failure{v1::REASON_INVALID, title, "patch.resource", "is not set; it names what to change"};
  }
  if (config::Problem problem = check_names(resource)) {
    return Failure{v1::REASON_INVALID, title, "name", *std::move(problem)};
  }
  if (patch.update_mask().paths().empty()) {
    return Failure{v1::REASON_INVALID, title, "update_mask", "is empty; it names the fields to change"};
  }
  for (const std::string& path : patch.update_mask().paths()) {
    if (config::Problem problem = check_path(path, message->GetDescriptor())) {
      return Failure{v1::REASON_INVALID, title, "update_mask", *std::move(problem)};
    }
  }
  return std::nullopt;
}

void apply_mask(const google::protobuf::FieldMask& mask, const Message& source, Message& target) {
  // Each field once: a swap of a path that is named twice would undo itself.
  google::protobuf::FieldMask canonical;
  FieldMaskUtil::ToCanonicalForm(mask, &canonical);
  std::unique_ptr<Message> copy(source.New());
  copy->CopyFrom(source);
  for (const std::string& path : canonical.paths()) {
    Names names = absl::StrSplit(path, '.');
    if (is_set(names, 0, *copy)) {
      copy_field(names, 0, *copy, target);
    } else {
      clear_field(names, 0, target);
    }
  }
}

}  // namespace fairlead::api
