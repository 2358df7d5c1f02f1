// What a control plane tells a data plane about its servers, and what it hears from it; free of gRPC and of Protobuf.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace fairlead::session {

using Labels = std::map<std::string, std::string>;

// Carried by every server that this control plane manages. Such servers are its own: settings that somebody else gives
// them do not last.
inline constexpr char kManagedByLabel[] = "managed-by";

enum class ChangeKind {
  // There, and taking requests; whatever was there under this name.
  kPut,
  // There, finishing what it has.
  kDrain,
  // Gone at once; what is still in flight is cut off.
  kDelete,
};

struct Change {
  // Chosen by the caller; grows.
  std::uint64_t id = 0;
  ChangeKind kind = ChangeKind::kPut;
  std::string server;
  // For kPut.
  std::string address;
  Labels labels;
};

// What is known of a server on a data plane.
enum class Presence {
  kUnknown,
  kAbsent,
  kReady,
  kDraining,
  kDrained,
  // Deleted, with something still in flight.
  kRemoving,
};

struct ListedServer {
  std::string name;
  std::string address;
  Labels labels;
  Presence presence = Presence::kReady;
};

// All servers of the backend with our label, as of `version`.
struct Listing {
  std::uint64_t version = 0;
  std::vector<ListedServer> servers;
};

// A session is open. Everything known before is void; the listing is what is there.
struct Connected {
  std::uint64_t epoch = 0;
  Listing listing;
  // Not empty: a control plane with this election id, above ours, is primary here, and our changes will be refused.
  std::string superseded_by;
};

// Read again within a session.
struct Listed {
  Listing listing;
  // As in Connected; empty also where a newer session has our own id.
  std::string superseded_by;
};

// The session ended, or (once) could not be opened. The next try follows by itself.
struct Lost {
  std::string why;
};

// This change, and all before it that were not refused, hold on all workers of the data plane.
struct Done {
  std::uint64_t id = 0;
  std::uint64_t version = 0;
  // It had held already.
  bool unchanged = false;
};

struct Refused {
  std::uint64_t id = 0;
  // The server (or for kPut its backend) does not exist.
  bool not_found = false;
  // Another control plane is primary here from now on; so it will be with all further changes of this session.
  bool not_primary = false;
  std::string why;
};

// A later step in a server's life.
struct Moved {
  std::string server;
  Presence presence = Presence::kUnknown;
  std::uint64_t version = 0;
  // How many requests were closed at a deadline.
  std::uint64_t cut_off = 0;
};

using Event = std::variant<Connected, Listed, Lost, Done, Refused, Moved>;

}  // namespace fairlead::session
