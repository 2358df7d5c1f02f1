// A YAML text as a tree of values with their places: what yaml-cpp's events say, held within limits. Private to
// yaml.cc.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/yaml.h"

namespace fairlead::api {

// Both from 1.
struct YamlPlace {
  int line = 1;
  int column = 1;
};

enum class YamlKind { kNull, kScalar, kList, kMap };

struct YamlValue {
  YamlKind kind = YamlKind::kNull;
  // Of a scalar: it was written with quotes or as a block, so it is a string whatever it looks like.
  bool quoted = false;
  YamlPlace place;
  std::string text;
  // Of a list its elements; of a map key, value, key, value. An alias is the value that it stands for.
  std::vector<const YamlValue*> children;
};

// Owns its values. Never cyclic, but a value may be the child of several.
struct YamlTree {
  std::deque<YamlValue> values;
  // Null where the text has no document.
  const YamlValue* root = nullptr;
};

absl::StatusOr<std::unique_ptr<YamlTree>> parse_yaml_tree(absl::string_view text, absl::string_view file_name,
                                                          const YamlLimits& limits);

// "file:line:column: message".
absl::Status yaml_error(absl::string_view file_name, YamlPlace place, absl::string_view message);

}  // namespace fairlead::api
