// Who is at the other end of a connection, by what gRPC calls it. Any thread.
//
// gRPC is handed connections of three kinds. Those of Unix sockets and those without TLS come as they are. Of one with
// TLS it gets the end of a pair of sockets, whose other end has a name that was made for it and is never used again: by
// that name, which gRPC tells with each call, it is found here.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::management {

struct Peer {
  // Of the certificate, the one that has a role or else the first: any bytes. Empty without TLS.
  std::string name;
  // UNSPECIFIED: none.
  v1::Role role = v1::ROLE_UNSPECIFIED;
  // "ipv4:10.0.0.7:40112", "unix: uid 0".
  std::string address;

  // As audit log and history have it: "alice (EDITOR), ipv4:10.0.0.7:40112". Printable for whoever has a role.
  std::string text() const;
  // Printable: the name in quotes, or the address.
  std::string title() const;
};

// "VIEWER".
std::string role_text(v1::Role role);

class Peers {
 public:
  Peers();

  // A connection with TLS comes: the name that its inner socket is to have, in the abstract namespace of Unix sockets.
  std::string add(std::shared_ptr<const Peer> peer);
  // It has ended.
  void remove(const std::string& name);
  // That user's process has connected to a Unix socket of ours.
  void note_user(uid_t user);

  // `called`: as gRPC's peer() has it. Never null: who has left, or was never there, has no role.
  std::shared_ptr<const Peer> find(const std::string& called) const;

 private:
  const std::string prefix_;
  mutable std::mutex mutex_;
  uint64_t last_ = 0;  // guarded by mutex_, as all of these
  absl::flat_hash_map<std::string, std::shared_ptr<const Peer>> with_tls_;
  // Those who have connected so far.
  std::set<uid_t> users_;
  std::shared_ptr<const Peer> on_unix_;
};

}  // namespace fairlead::management
