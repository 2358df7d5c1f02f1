// Configuration files: whatever the text is, it is a message or an error; a message survives being written and read
// again, and its resources are decoded or refused.
#include "api/operation.h"
#include "api/yaml.h"
#include "fairlead/v1/management.pb.h"
#include "fairlead/v1/resources.pb.h"
#include "targets.h"

namespace fairlead {

void fuzz_configuration(std::string_view input) {
  constexpr api::YamlLimits kLimits{.bytes = 1 << 16, .values = 10'000, .depth = 32};
  const Alone alone(input);
  v1::Configuration message;
  const absl::Status status = api::parse_yaml(alone.text(), "f", message, kLimits);
  // Finds a place or does not; any place will do.
  (void)api::yaml_location(alone.text(), "f", "resources.backends[0].servers[1].weight", kLimits);
  if (!status.ok()) {
    demand(message.ByteSizeLong() == 0, "an error leaves nothing behind");
    demand(status.message().find('\n') == std::string_view::npos, "an error is one line");
    return;
  }
  const std::string text = api::to_yaml(message);
  v1::Configuration again;
  demand(api::parse_yaml(text, "f", again, {}).ok(), "what we write we read");
  demand(again.DebugString() == message.DebugString(), "what is read is what was written");
  std::vector<api::Operation> operations;
  for (const v1::Operation& operation : api::upserts_of(message.resources())) {
    (void)api::decode_operation(operation, 0, operations);
  }
}

}  // namespace fairlead
