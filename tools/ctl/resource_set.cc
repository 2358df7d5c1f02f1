#include "ctl/resource_set.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "api/yaml.h"
#include "ctl/kept_form.h"

namespace fairlead::ctl {
namespace {

std::string indexed(const std::string& root, const char* list, int index) {
  return absl::StrCat(root, root.empty() ? "" : ".", list, "[", index, "]");
}

// How one would write it; equal for what a data plane takes as equal.
std::string input_yaml(const v1::Resource& written) {
  constexpr api::YamlStyle kInput{.output_only_fields = false};
  const v1::Resource resource = kept_form(written);
  switch (resource.kind_case()) {
    case v1::Resource::kListener:
      return api::to_yaml(resource.listener(), kInput);
    case v1::Resource::kBackend:
      return api::to_yaml(resource.backend(), kInput);
    case v1::Resource::kServer:
      return api::to_yaml(resource.server(), kInput);
    case v1::Resource::kCertificate: {
      // What a data plane has says nothing of its private key, and nobody is shown the other.
      v1::Certificate shown = resource.certificate();
      shown.clear_private_key();
      return api::to_yaml(shown, kInput);
    }
    default:
      return {};
  }
}

// How many servers it follows, one by the other: those have to be there first.
int tracking_depth(const ResourceSet& set, const v1::Resource& resource) {
  constexpr int kDeepest = 100;
  int depth = 0;
  const v1::Resource* next = &resource;
  while (next != nullptr && !next->server().health_check().track().empty() && depth < kDeepest) {
    ++depth;
    next = set.find("server " + next->server().health_check().track());
  }
  return depth;
}

// What is tracked before what tracks it, and otherwise as they are.
std::vector<const PlacedResource*> in_order_of_tracking(const ResourceSet& set) {
  std::map<int, std::vector<const PlacedResource*>> by_depth;
  for (const PlacedResource& placed : set.resources()) {
    by_depth[tracking_depth(set, placed.resource)].push_back(&placed);
  }
  std::vector<const PlacedResource*> ordered;
  for (const auto& [depth, placed] : by_depth) ordered.insert(ordered.end(), placed.begin(), placed.end());
  return ordered;
}

v1::Operation delete_of(const v1::Resource& resource) {
  v1::Operation operation;
  v1::Delete& removal = *operation.mutable_delete_();
  if (resource.has_listener()) removal.set_listener(resource.listener().name());
  if (resource.has_backend()) removal.set_backend(resource.backend().name());
  if (resource.has_certificate()) removal.set_certificate(resource.certificate().name());
  if (resource.has_server()) {
    removal.mutable_server()->set_backend(resource.server().backend());
    removal.mutable_server()->set_name(resource.server().name());
  }
  return operation;
}

// The table of the longest common subsequence of what follows; cells[i][j] for lines i.. and j...
std::vector<std::vector<int>> common_lines(const std::vector<std::string>& before,
                                           const std::vector<std::string>& after) {
  std::vector<std::vector<int>> cells(before.size() + 1, std::vector<int>(after.size() + 1));
  for (std::size_t i = before.size(); i-- > 0;) {
    for (std::size_t j = after.size(); j-- > 0;) {
      const bool same = before[i] == after[j];
      cells[i][j] = same ? cells[i + 1][j + 1] + 1 : std::max(cells[i + 1][j], cells[i][j + 1]);
    }
  }
  return cells;
}

std::vector<std::string> lines_of(const std::string& text) {
  if (text.empty()) return {};
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace

std::string title_of(const v1::Resource& resource) {
  switch (resource.kind_case()) {
    case v1::Resource::kListener:
      return absl::StrCat("listener ", resource.listener().name());
    case v1::Resource::kBackend:
      return absl::StrCat("backend ", resource.backend().name());
    case v1::Resource::kServer:
      return absl::StrCat("server ", resource.server().backend(), "/", resource.server().name());
    case v1::Resource::kCertificate:
      return absl::StrCat("certificate ", resource.certificate().name());
    case v1::Resource::KIND_NOT_SET:
      break;
  }
  return "resource";
}

Result<ResourceSet> ResourceSet::from(const v1::Resources& resources, const std::string& root) {
  ResourceSet set;
  std::vector<PlacedResource> servers;
  const auto add_server = [&](const v1::Server& server, std::string path) {
    PlacedResource& placed = servers.emplace_back(PlacedResource{{}, std::move(path)});
    *placed.resource.mutable_server() = server;
  };
  for (int i = 0; i < resources.certificates_size(); ++i) {
    PlacedResource& placed = set.resources_.emplace_back(PlacedResource{{}, indexed(root, "certificates", i)});
    *placed.resource.mutable_certificate() = resources.certificates(i);
  }
  for (int i = 0; i < resources.backends_size(); ++i) {
    const v1::Backend& backend = resources.backends(i);
    const std::string path = indexed(root, "backends", i);
    for (int k = 0; k < backend.servers_size(); ++k) {
      v1::Server server = backend.servers(k);
      const std::string server_path = indexed(path, "servers", k);
      if (!server.backend().empty() && server.backend() != backend.name()) {
        return refused(absl::StrCat(server_path, ".backend: \"", server.backend(),
                                    "\" is not the backend around it, \"", backend.name(), "\"; leave it out"));
      }
      server.set_backend(backend.name());
      add_server(server, server_path);
    }
    PlacedResource& placed = set.resources_.emplace_back(PlacedResource{{}, path});
    *placed.resource.mutable_backend() = backend;
    placed.resource.mutable_backend()->clear_servers();
  }
  for (int i = 0; i < resources.servers_size(); ++i) add_server(resources.servers(i), indexed(root, "servers", i));
  std::ranges::move(servers, std::back_inserter(set.resources_));
  for (int i = 0; i < resources.listeners_size(); ++i) {
    PlacedResource& placed = set.resources_.emplace_back(PlacedResource{{}, indexed(root, "listeners", i)});
    *placed.resource.mutable_listener() = resources.listeners(i);
  }
  std::set<std::string> titles;
  for (const PlacedResource& placed : set.resources_) {
    const std::string title = title_of(placed.resource);
    if (!titles.insert(title).second) return refused(absl::StrCat(placed.path, ": ", title, " is there twice"));
    set.index_[title] = &placed - set.resources_.data();
  }
  return set;
}

const v1::Resource* ResourceSet::find(const std::string& title) const {
  const auto found = index_.find(title);
  return found == index_.end() ? nullptr : &resources_[static_cast<std::size_t>(found->second)].resource;
}

Result<ResourceSet> read_resource_set(const std::string& text, const std::string& file_name) {
  const auto located = [&](Result<ResourceSet> set) {
    if (set) return set;
    const std::string& reason = set.error().text;
    const std::string place = api::yaml_location(text, file_name, reason.substr(0, reason.find(": ")));
    return Result<ResourceSet>(refused(absl::StrCat(place, ": ", reason)));
  };
  auto bare = api::parse_yaml<v1::Resources>(text, file_name);
  if (bare.ok()) return located(ResourceSet::from(*bare, ""));
  auto file = api::parse_yaml<v1::Configuration>(text, file_name);
  if (file.ok()) return located(ResourceSet::from(file->resources(), "resources"));
  // Both failed: the one that knows the document's first fields is what was meant.
  const std::string bare_error(bare.status().message());
  const std::string file_error(file.status().message());
  const bool is_file = absl::StrContains(bare_error, "; Resources has ");
  return refused(is_file ? file_error : bare_error);
}

std::vector<ResourceChange> changes(const ResourceSet& present, const ResourceSet& wanted, bool prune) {
  std::vector<ResourceChange> result;
  for (const PlacedResource& placed : wanted.resources()) {
    const std::string title = title_of(placed.resource);
    const v1::Resource* before = present.find(title);
    const std::string after_text = input_yaml(placed.resource);
    const std::string before_text = before == nullptr ? "" : input_yaml(*before);
    if (before == nullptr) {
      result.push_back({ChangeKind::kAdded, title, "", after_text});
    } else if (before_text != after_text) {
      result.push_back({ChangeKind::kChanged, title, before_text, after_text});
    }
  }
  for (const PlacedResource& placed : present.resources()) {
    const std::string title = title_of(placed.resource);
    if (!prune || wanted.find(title) != nullptr) continue;
    result.push_back({ChangeKind::kRemoved, title, input_yaml(placed.resource), ""});
  }
  return result;
}

std::vector<PlannedOperation> operations_to(const ResourceSet& present, const ResourceSet& wanted, bool prune) {
  std::vector<PlannedOperation> operations;
  const std::vector<const PlacedResource*> ordered = in_order_of_tracking(wanted);
  const auto upsert = [&](bool listeners) {
    for (const PlacedResource* placed : ordered) {
      if (placed->resource.has_listener() != listeners) continue;
      const v1::Resource* before = present.find(title_of(placed->resource));
      PlannedOperation& planned = operations.emplace_back();
      *planned.operation.mutable_upsert() = placed->resource;
      planned.origin = placed->path;
      planned.step = listeners ? Step::kListening : Step::kServing;
      planned.changes_nothing = before != nullptr && input_yaml(*before) == input_yaml(placed->resource);
    }
  };
  const auto remove = [&](v1::Resource::KindCase kind) {
    for (const PlacedResource& placed : present.resources()) {
      if (placed.resource.kind_case() != kind || wanted.find(title_of(placed.resource)) != nullptr) continue;
      PlannedOperation& planned = operations.emplace_back();
      planned.operation = delete_of(placed.resource);
      planned.step = kind == v1::Resource::kListener ? Step::kListening : Step::kRemoving;
    }
  };
  upsert(/*listeners=*/false);
  if (prune) remove(v1::Resource::kListener);
  upsert(/*listeners=*/true);
  if (prune) remove(v1::Resource::kServer);
  if (prune) remove(v1::Resource::kBackend);
  if (prune) remove(v1::Resource::kCertificate);
  return operations;
}

std::vector<std::string> line_difference(const std::string& before, const std::string& after) {
  const std::vector<std::string> left = lines_of(before);
  const std::vector<std::string> right = lines_of(after);
  const auto common = common_lines(left, right);
  std::vector<std::string> result;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < left.size() || j < right.size()) {
    if (i < left.size() && j < right.size() && left[i] == right[j]) {
      result.push_back("  " + left[i++]);
      ++j;
    } else if (j == right.size() || (i < left.size() && common[i + 1][j] >= common[i][j + 1])) {
      result.push_back("- " + left[i++]);
    } else {
      result.push_back("+ " + right[j++]);
    }
  }
  return result;
}

v1::Configuration as_configuration(const v1::Resources& resources) {
  v1::Configuration file;
  v1::Resources& out = *file.mutable_resources();
  std::map<std::string, v1::Backend*> backends;
  *out.mutable_certificates() = resources.certificates();
  *out.mutable_listeners() = resources.listeners();
  for (const v1::Backend& backend : resources.backends()) *out.add_backends() = backend;
  for (v1::Backend& backend : *out.mutable_backends()) backends[backend.name()] = &backend;
  for (const v1::Server& server : resources.servers()) {
    const auto backend = backends.find(server.backend());
    if (backend == backends.end()) {
      *out.add_servers() = server;
      continue;
    }
    v1::Server& inner = *backend->second->add_servers();
    inner = server;
    inner.clear_backend();
  }
  const auto without_output = [](auto& list) {
    for (auto& resource : list) {
      resource.clear_metadata();
      resource.clear_status();
    }
  };
  without_output(*out.mutable_certificates());
  without_output(*out.mutable_listeners());
  without_output(*out.mutable_backends());
  without_output(*out.mutable_servers());
  for (v1::Backend& backend : *out.mutable_backends()) without_output(*backend.mutable_servers());
  return file;
}

}  // namespace fairlead::ctl
