// Answers as a table, JSON or YAML.
#pragma once

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "ctl/result.h"
#include "ctl/table.h"
#include "fairlead/v1/resources.pb.h"
#include "google/protobuf/message.h"

namespace fairlead::ctl {

enum class Format { kTable, kJson, kYaml };

Result<Format> parse_format(const std::string& text);

// Proto3 JSON with the schema's field names; on one line, without a line break at the end, or over several.
std::string to_json(const google::protobuf::Message& message, bool one_line = false);

std::string server_title(const v1::Server& server);
// "ready".
std::string lifecycle_word(v1::Lifecycle lifecycle);
Colour lifecycle_colour(v1::Lifecycle lifecycle);
// "up", "down", "unknown"; "-" where it is not said.
std::string health_word(v1::Health health);
Colour health_colour(v1::Health health);
// "zone=a,tier=1", sorted.
std::string labels_text(const google::protobuf::Map<std::string, std::string>& labels);

Table server_table(const std::vector<v1::Server>& servers);
Table backend_table(const std::vector<v1::Backend>& backends);
Table listener_table(const std::vector<v1::Listener>& listeners);
// `now`: against which what expires soon is marked.
Table certificate_table(const std::vector<v1::Certificate>& certificates, absl::Time now = absl::Now());

}  // namespace fairlead::ctl
