// The options of `add` and `set`: which field of a resource each one fills, and the mask of those that were given.
#pragma once

#include <string>
#include <vector>

#include "ctl/arguments.h"
#include "ctl/result.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/message.h"

namespace fairlead::ctl {

enum class ValueForm { kScalar, kBool, kEnum, kLabels, kList, kEnumList, kRoutes, kCheck, kStatuses, kAccess, kFile };

// The word that puts a field back to its default.
inline constexpr char kDefaultWord[] = "default";

struct ResourceOption {
  Option option;
  // "timeouts.connect".
  std::string path;
  ValueForm form = ValueForm::kScalar;
  // What goes with `default`, where the message around the field cannot be without it.
  std::string default_path = {};
};

// A file for each, as its fields are many.
std::vector<ResourceOption> server_options();
std::vector<ResourceOption> backend_options();
std::vector<ResourceOption> listener_options();
// Which every kind has.
ResourceOption labels_option();

// For the command line, with the words that the fields of `resource` take.
std::vector<Option> plain_options(const std::vector<ResourceOption>& options,
                                  const google::protobuf::Descriptor& resource);

// Fills `resource` from the options that are given and returns their paths. `--weight default` names the path and
// leaves the field unset; `--cookie default` names the whole message, unless another option sets a part of it.
Result<google::protobuf::FieldMask> fill_resource(const std::vector<ResourceOption>& options,
                                                  const Arguments& arguments, google::protobuf::Message& resource);

}  // namespace fairlead::ctl
