// From the tree of a YAML text into a message, by its descriptor. Private to yaml.cc.
#pragma once

#include <cstddef>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "api/yaml.h"
#include "api/yaml_tree.h"
#include "google/protobuf/message.h"

namespace fairlead::api {

// Reads one text. A path is a chain of steps on the stack of the calls, written out only for an error.
class YamlReader {
 public:
  YamlReader(absl::string_view file_name, const YamlLimits& limits) : file_name_(file_name), limits_(limits) {}

  absl::Status read(const YamlValue& root, google::protobuf::Message& message);

 private:
  struct Path {
    const Path* parent = nullptr;
    absl::string_view field;
    // Of an element of a list; negative otherwise.
    int index = -1;
    int depth = 0;
  };
  // Where a value goes: set, or added where the field is repeated.
  struct Slot {
    google::protobuf::Message& message;
    const google::protobuf::FieldDescriptor& field;
  };

  absl::Status read_message(const YamlValue& value, google::protobuf::Message& message, const Path& path);
  absl::Status read_pair(const YamlValue& key, const YamlValue& value, google::protobuf::Message& message,
                         absl::flat_hash_set<const google::protobuf::FieldDescriptor*>& seen, const Path& path);
  absl::Status read_field(const YamlValue& value, Slot slot, const Path& path);
  absl::Status read_list(const YamlValue& value, Slot slot, const Path& path);
  absl::Status read_map(const YamlValue& value, Slot slot, const Path& path);
  absl::Status read_submessage(const YamlValue& value, Slot slot, const Path& path);
  absl::Status read_well_known(const YamlValue& value, google::protobuf::Message& message, const Path& path);
  absl::Status read_field_mask(const YamlValue& value, google::protobuf::Message& message, const Path& path);
  absl::Status read_scalar(const YamlValue& value, Slot slot, const Path& path);
  template <typename Integer>
  absl::Status read_integer(const YamlValue& value, Slot slot, const Path& path);
  template <typename Float>
  absl::Status read_float(const YamlValue& value, Slot slot, const Path& path);
  absl::Status read_bool(const YamlValue& value, Slot slot, const Path& path);
  absl::Status read_enum(const YamlValue& value, Slot slot, const Path& path);
  absl::Status read_string(const YamlValue& value, Slot slot, const Path& path);

  // Counts a value against the limits, each time it is read.
  absl::Status count(const YamlValue& value, const Path& path);
  absl::Status error(const YamlValue& value, const Path& path, absl::string_view message) const;
  // `"heavy" is not a number`.
  absl::Status wrong(const YamlValue& value, const Path& path, absl::string_view what) const;

  absl::string_view file_name_;
  const YamlLimits& limits_;
  std::size_t values_read_ = 0;
};

}  // namespace fairlead::api
