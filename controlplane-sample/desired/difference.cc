#include "desired/difference.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fairlead::desired {
namespace {

namespace api = fairlead::v1;

class Batches {
 public:
  explicit Batches(const BatchLimits& limits) : limits_(limits) {}

  void begin(api::Atomicity atomicity) {
    bytes_ = 0;
    made_.emplace_back().set_atomicity(atomicity);
  }
  void add(api::Operation operation) {
    const std::size_t bytes = operation.ByteSizeLong() + kFrameBytes;
    const bool bounded = made_.back().atomicity() == api::ATOMICITY_EACH;
    const auto count = static_cast<std::size_t>(made_.back().operations_size());
    if (bounded && count > 0 && (count >= limits_.operations || bytes_ + bytes > limits_.bytes)) {
      begin(api::ATOMICITY_EACH);
    }
    bytes_ += bytes;
    *made_.back().add_operations() = std::move(operation);
  }
  std::vector<api::Transaction> take() {
    std::erase_if(made_, [](const api::Transaction& transaction) { return transaction.operations().empty(); });
    return std::move(made_);
  }

 private:
  // Tag and length of an operation within its transaction.
  static constexpr std::size_t kFrameBytes = 8;

  const BatchLimits limits_;
  std::size_t bytes_ = 0;
  std::vector<api::Transaction> made_;
};

const Entry* find(const Configuration& configuration, const Key& key) {
  const auto found = configuration.entries().find(key);
  return found == configuration.entries().end() ? nullptr : &found->second;
}

// Its backend goes, and takes it along.
bool goes_with_backend(const Configuration& to, const Key& key) {
  return key.kind == Kind::kServer && find(to, {Kind::kBackend, "", key.backend}) == nullptr;
}

// How many servers it follows, one by the other: those have to be there first.
int tracking_depth(const Configuration& to, const api::Resource& resource) {
  constexpr int kDeepest = 100;
  int depth = 0;
  std::string track = resource.server().health_check().track();
  while (!track.empty() && depth < kDeepest) {
    ++depth;
    const std::size_t slash = track.find('/');
    if (slash == std::string::npos) break;
    const Entry* next = find(to, {Kind::kServer, track.substr(0, slash), track.substr(slash + 1)});
    track = next == nullptr ? "" : next->resource.server().health_check().track();
  }
  return depth;
}

void upserts(const Configuration& from, const Configuration& to, Kind kind, Batches& batches) {
  std::map<int, std::vector<const Entry*>> later;
  const auto add = [&](const Entry& entry) {
    api::Operation operation;
    *operation.mutable_upsert() = entry.resource;
    batches.add(std::move(operation));
  };
  for (const auto& [key, entry] : to.entries()) {
    if (key.kind != kind) continue;
    const Entry* had = find(from, key);
    if (had != nullptr && had->hash == entry.hash) continue;
    const int depth = tracking_depth(to, entry.resource);
    if (depth == 0) {
      add(entry);
    } else {
      later[depth].push_back(&entry);
    }
  }
  for (const auto& [depth, entries] : later) {
    for (const Entry* entry : entries) add(*entry);
  }
}

api::Operation deletion(const Key& key) {
  api::Operation operation;
  api::Delete& deletion = *operation.mutable_delete_();
  switch (key.kind) {
    case Kind::kListener:
      deletion.set_listener(key.name);
      break;
    case Kind::kBackend:
      deletion.set_backend(key.name);
      break;
    case Kind::kCertificate:
      deletion.set_certificate(key.name);
      break;
    case Kind::kServer:
      deletion.mutable_server()->set_backend(key.backend);
      deletion.mutable_server()->set_name(key.name);
      break;
  }
  return operation;
}

void deletions(const Configuration& from, const Configuration& to, Kind kind, Batches& batches) {
  for (const auto& [key, entry] : from.entries()) {
    if (key.kind != kind || find(to, key) != nullptr || goes_with_backend(to, key)) continue;
    batches.add(deletion(key));
  }
}

struct Removal {
  std::uint64_t there = 0;
  std::uint64_t going = 0;
};

// What it is counted with.
std::string group_of(const Key& key) {
  switch (key.kind) {
    case Kind::kListener:
      return "listeners";
    case Kind::kBackend:
      return "backends";
    case Kind::kCertificate:
      return "certificates";
    case Kind::kServer:
      break;
  }
  return absl::StrCat("servers of backend ", key.backend);
}

// By what is counted together.
std::map<std::string, Removal> removals(const Configuration& from, const Configuration& to) {
  std::map<std::string, Removal> removals;
  Removal of_servers;
  bool backend_goes = false;
  for (const auto& [key, entry] : from.entries()) {
    const bool goes = find(to, key) == nullptr;
    if (key.kind == Kind::kServer) {
      ++of_servers.there;
      if (goes) ++of_servers.going;
    }
    backend_goes |= goes && key.kind == Kind::kBackend;
    if (goes_with_backend(to, key)) continue;
    Removal& removal = removals[group_of(key)];
    ++removal.there;
    if (goes) ++removal.going;
  }
  if (backend_goes) removals["servers"] = of_servers;
  return removals;
}

}  // namespace

std::vector<api::Transaction> difference(const Configuration& from, const Configuration& to,
                                         const BatchLimits& limits) {
  Batches batches(limits);
  batches.begin(api::ATOMICITY_EACH);
  upserts(from, to, Kind::kCertificate, batches);
  upserts(from, to, Kind::kBackend, batches);
  upserts(from, to, Kind::kServer, batches);
  batches.begin(api::ATOMICITY_ALL_OR_NOTHING);
  deletions(from, to, Kind::kListener, batches);
  upserts(from, to, Kind::kListener, batches);
  batches.begin(api::ATOMICITY_EACH);
  deletions(from, to, Kind::kServer, batches);
  deletions(from, to, Kind::kBackend, batches);
  deletions(from, to, Kind::kCertificate, batches);
  return batches.take();
}

std::string describe_difference(const Configuration& is, const Configuration& should_be, std::size_t most) {
  std::vector<std::string> texts;
  std::size_t total = 0;
  const auto add = [&](const Key& key, const char* how) {
    if (++total <= most) texts.push_back(absl::StrCat(to_string(key), how));
  };
  for (const auto& [key, entry] : should_be.entries()) {
    const Entry* there = find(is, key);
    if (there == nullptr) {
      add(key, " is missing");
    } else if (there->hash != entry.hash) {
      add(key, " is different");
    }
  }
  for (const auto& [key, entry] : is.entries()) {
    if (find(should_be, key) == nullptr) add(key, " should not be there");
  }
  if (total > most) texts.push_back(absl::StrCat("and ", total - most, " more"));
  return absl::StrJoin(texts, ", ");
}

std::optional<std::string> removes_too_much(const Configuration& from, const Configuration& to, unsigned max_percent) {
  for (const auto& [group, removal] : removals(from, to)) {
    if (removal.going * 100 <= removal.there * max_percent || removal.there == 1) continue;
    return absl::StrCat("would remove ", removal.going, " of ", removal.there, " ", group, ", more than ", max_percent,
                        "%");
  }
  return std::nullopt;
}

}  // namespace fairlead::desired
