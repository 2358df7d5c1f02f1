// A set of resources, as a file wants it or a data plane has it: reading, comparing, and the transaction from one to
// the other. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "ctl/result.h"
#include "fairlead/v1/management.pb.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::ctl {

// A resource and where it stands in its file: "resources.backends[0].servers[2]".
struct PlacedResource {
  v1::Resource resource;
  std::string path;
};

// Servers stand alone here: those inside a backend are taken out of it. At most one of each title.
class ResourceSet {
 public:
  // `root` is what the paths begin with: "resources", or nothing for a bare document.
  static Result<ResourceSet> from(const v1::Resources& resources, const std::string& root);

  // Backends first, then servers, then listeners: each after what it refers to.
  const std::vector<PlacedResource>& resources() const { return resources_; }
  bool empty() const { return resources_.empty(); }
  // Null where there is none.
  const v1::Resource* find(const std::string& title) const;

 private:
  std::vector<PlacedResource> resources_;
  // By title.
  std::map<std::string, std::ptrdiff_t> index_;
};

// A whole configuration file, of which its `resources` count, or a bare Resources document.
Result<ResourceSet> read_resource_set(const std::string& text, const std::string& file_name);

// "server web/s1".
std::string title_of(const v1::Resource& resource);

enum class ChangeKind { kAdded, kChanged, kRemoved };

struct ResourceChange {
  ChangeKind kind = ChangeKind::kAdded;
  std::string title;
  // As YAML of the input form; empty where there is none.
  std::string before;
  std::string after;
};

// What it takes from `present` to `wanted`; what is not wanted is removed only with `prune`.
std::vector<ResourceChange> changes(const ResourceSet& present, const ResourceSet& wanted, bool prune);

// Operations of one step belong together: between a listener that goes and one that comes at its address nobody should
// find the address closed.
enum class Step { kServing, kListening, kRemoving };

struct PlannedOperation {
  v1::Operation operation;
  // The place in the file; a delete has none.
  std::string origin;
  Step step = Step::kServing;
  // The resource is there already, as the file says.
  bool changes_nothing = false;
};

// Upserts, and with `prune` deletes, in an order in which every reference holds and every address is free when it is
// needed, after each of them.
std::vector<PlannedOperation> operations_to(const ResourceSet& present, const ResourceSet& wanted, bool prune);

// "+ ", "- " and "  " before each line: the shortest way from one text to the other.
std::vector<std::string> line_difference(const std::string& before, const std::string& after);

// Servers inside their backends, without what is output only: how one would write it.
v1::Configuration as_configuration(const v1::Resources& resources);

}  // namespace fairlead::ctl
