// YAML text <-> protobuf messages, driven by descriptors: the proto3 JSON mapping, written as YAML.
//
// Accepted: field names in snake_case or lowerCamelCase; enum values with or without their type's prefix ("HTTP" for
// PROTOCOL_HTTP); durations as "2s", "1.5s", "250ms", "1m30s"; timestamps of RFC 3339; bytes in base64; numbers also as
// strings; anchors and aliases. A key without a value is an unset field. Refused, with the place: unknown and duplicate
// fields, wrong types, numbers out of range, two members of one oneof, a second document, custom tags, merge keys.
//
// Errors are INVALID_ARGUMENT (RESOURCE_EXHAUSTED for a limit) with one line for people:
//   fairlead.yaml:12:5: resources.backends[0].servers[1].weight: "heavy" is not a number from 0 to 4294967295
//
// Everything here is a pure function of its arguments (read_yaml_file aside) and may be called by any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace fairlead::api {

// What a text may cost before it is refused; the defaults hold a configuration of half a million servers.
struct YamlLimits {
  std::size_t bytes = std::size_t{64} << 20;
  // Scalars, lists, maps and keys; what an alias stands for counts again at each use.
  std::size_t values = 4'000'000;
  int depth = 32;
};

// Reads `text` into `message`, which is cleared first and after an error. `file_name` is for error texts only.
absl::Status parse_yaml(std::string_view text, std::string_view file_name, google::protobuf::Message& message,
                        const YamlLimits& limits = {});

template <typename Message>
absl::StatusOr<Message> parse_yaml(std::string_view text, std::string_view file_name, const YamlLimits& limits = {}) {
  Message message;
  if (absl::Status status = parse_yaml(text, file_name, message, limits); !status.ok()) return status;
  return message;
}

// The whole file; refuses one above the limit without reading it.
absl::StatusOr<std::string> read_yaml_file(const std::string& path, const YamlLimits& limits = {});

// "fairlead.yaml:12:5" for the place of a field path such as "resources.backends[0].servers[1].weight": of its value,
// or of the nearest value around it that the text has. For errors that only the meaning of a message shows.
std::string yaml_location(std::string_view text, std::string_view file_name, std::string_view field_path,
                          const YamlLimits& limits = {});

struct YamlStyle {
  // With `metadata` and `status`; without them the text is what one would write as input.
  bool output_only_fields = true;
};

// Block style in the schema's order, maps sorted by key, short enums ("HTTP") and durations ("250ms"); ends with a
// newline. parse_yaml of it gives an equal message.
std::string to_yaml(const google::protobuf::Message& message, const YamlStyle& style = {});

}  // namespace fairlead::api
