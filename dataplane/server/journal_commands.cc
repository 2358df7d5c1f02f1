#include "server/journal_commands.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "api/yaml.h"
#include "fairlead/v1/resources.pb.h"
#include "journal/offline.h"
#include "store/digest.h"

namespace fairlead::server {
namespace {

constexpr const char* kUsage =
    "usage: fairlead journal verify FILE|DIR   says whether a journal is sound, and what it holds\n"
    "       fairlead journal export FILE|DIR   prints its resources as a configuration file (YAML)\n";

// What a reader makes of the rows.
class Contents {
 public:
  absl::Status take(const journal::Row& row) {
    digest_.add(store::Digest::hash(static_cast<store::Digest::Kind>(row.kind), row.content));
    bool parsed = false;
    switch (row.kind) {
      case journal::Kind::kListener:
        parsed = parse(row, *resources_.add_listeners());
        break;
      case journal::Kind::kBackend:
        parsed = parse(row, *resources_.add_backends());
        break;
      case journal::Kind::kServer:
        parsed = parse(row, *resources_.add_servers());
        break;
      case journal::Kind::kCertificate:
        parsed = parse(row, *resources_.add_certificates());
        break;
    }
    if (parsed) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("the content of resource ", row.uid, " makes no sense"));
  }
  absl::Status check(const journal::State& state) const {
    if (digest_.bytes() == state.digest) return absl::OkStatus();
    return absl::DataLossError("is damaged: its resources are not those that were written last");
  }
  v1::Resources& resources() { return resources_; }

 private:
  static bool parse(const journal::Row& row, google::protobuf::Message& message) {
    return message.ParseFromArray(row.content.data(), static_cast<int>(row.content.size()));
  }

  store::Digest digest_;
  v1::Resources resources_;
};

void print_summary(const journal::State& state, const v1::Resources& resources) {
  std::printf("sound: version %llu, epoch %llu, %d listeners, %d backends, %d servers\n",
              static_cast<unsigned long long>(state.version), static_cast<unsigned long long>(state.epoch),
              resources.listeners_size(), resources.backends_size(), resources.servers_size());
}

void print_configuration(const journal::State& state, v1::Resources& resources) {
  v1::Configuration file;
  file.mutable_resources()->Swap(&resources);
  std::string yaml = api::to_yaml(file, {.output_only_fields = false});
  std::printf("# version %llu, epoch %llu\n", static_cast<unsigned long long>(state.version),
              static_cast<unsigned long long>(state.epoch));
  std::fwrite(yaml.data(), 1, yaml.size(), stdout);
}

}  // namespace

int run_journal_command(std::span<char*> arguments) {
  std::string command = arguments.empty() ? "" : arguments[0];
  auto asks_for_help = [](std::string_view argument) { return argument == "--help" || argument == "-h"; };
  if (std::ranges::any_of(arguments, asks_for_help)) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (arguments.size() != 2 || (command != "verify" && command != "export")) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  Contents contents;
  const journal::Parts parts = command == "verify" ? journal::Parts::kAll : journal::Parts::kResources;
  auto state = journal::read_offline(arguments[1], parts, [&](const journal::Row& row) { return contents.take(row); });
  absl::Status status = state.ok() ? contents.check(*state) : state.status();
  if (!status.ok()) {
    std::fprintf(stderr, "fairlead: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  if (command == "verify") {
    print_summary(*state, contents.resources());
  } else {
    print_configuration(*state, contents.resources());
  }
  return 0;
}

}  // namespace fairlead::server
