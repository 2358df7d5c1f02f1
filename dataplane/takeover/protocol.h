// What the two processes of a takeover say to each other.
//
//     the new one                                   the one that runs (the old one)
//
//     hello 1 <version>       ------------------>   takes no more writes, commits, gives up the state directory
//       secrets
//                             <------------------   sockets, with descriptors; as often as needed
//                             <------------------   secrets, with a file of them; to who has asked for it in its hello
//                             <------------------   yours
//     locks and loads the state directory,
//     asks for names, checks servers,
//     accepts at these sockets
//     serving 1101            ------------------>   (which of the sockets it serves, in their order)
//                             <------------------   leaving
//                                                   accepts no more, finishes what it has, ends
//
// Instead of the sockets the old one may answer: no <reason>. Secrets are what makes it easier for clients that the new
// one is in the old one's place; what is in them is between the two hosts.
//
// The lock of the state directory decides who goes on when the other one is gone. A connection that ends before
// `serving` means to the old one: take the state back, as soon as the lock is free, and go on; what the new one has
// written there, of which nobody was told, is undone. A connection that ends without `leaving` means to the new one: go
// on where the old process is gone, and end where it lives, because it will take the state back. So at each moment at
// least one of the two accepts, and at most one writes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/descriptor.h"

namespace fairlead::takeover {

inline constexpr int kProtocolVersion = 1;
inline constexpr const char* kSocketName = "takeover.sock";

// At the end of a hello: secrets are wanted.
inline constexpr char kWantsSecrets[] = " secrets";
// More than that is not read.
inline constexpr size_t kSecretsMax = 64 << 20;

// A file in memory with these bytes, which nobody can change any more; none where there is no memory for it.
base::Descriptor make_secret_file(std::string_view bytes);
// From its beginning to its end.
absl::StatusOr<std::string> read_secret_file(int file);

// Where `text` begins with `prefix`, takes it away.
bool consume(std::string_view& text, std::string_view prefix);

// What a listening socket is for.
enum class Use : uint8_t { kListener, kManagement, kObservation, kTakeover };

// An address where the old process listens, with all its sockets there.
struct Offer {
  Use use = Use::kListener;
  // Of the listener; else 0.
  uint64_t uid = 0;
  // As the configuration names it, and as it was bound: "127.0.0.1:0", "127.0.0.1:40123".
  std::string wanted;
  std::string bound;
  std::vector<base::Descriptor> sockets;
};

// The `sockets` message: a line for each offer, "<use> <uid> <number of descriptors> <wanted>\t<bound>". An offer with
// many sockets may come in several parts.
struct OfferText {
  Use use;
  uint64_t uid;
  size_t sockets;
  std::string wanted;
  std::string bound;
};
std::string write_offer(const OfferText& offer);
absl::StatusOr<std::vector<OfferText>> read_offers(std::string_view lines);

// Adds what a message brought, part by part.
absl::Status add_offers(std::string_view lines, std::vector<base::Descriptor> descriptors, std::vector<Offer>& offers);

}  // namespace fairlead::takeover
