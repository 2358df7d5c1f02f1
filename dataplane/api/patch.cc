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
  if (!FieldMaskUtil::GetFieldDescriptors(descriptor, path, &fields) || fields.empty()) {
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

void copy_field(const std::vector<absl::string_view>& path, size_t depth, Message& source, Message& target) {
  const FieldDescriptor* field = target.GetDescriptor()->FindFieldByName(std::string(path[depth]));
  const google::protobuf::Reflection* reflection = target.GetReflection();
  if (depth + 1 == path.size()) {
    reflection->SwapFields(&source, &target, {field});
    return;
  }
  copy_field(path, depth + 1, *reflection->MutableMessage(&source, field), *reflection->MutableMessage(&target, field));
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
    std::vector<absl::string_view> names = absl::StrSplit(path, '.');
    copy_field(names, 0, *copy, target);
  }
}

}  // namespace fairlead::api
