// The new process's side of a takeover: asks the one that runs, gets its sockets, and tells it when to go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "takeover/connection.h"
#include "takeover/protocol.h"

namespace fairlead::takeover {

struct TakerOptions {
  // Until the running process has committed what it took and given up the state.
  std::chrono::milliseconds give = std::chrono::seconds(30);
  // Until it has heard that this one serves.
  std::chrono::milliseconds farewell = std::chrono::seconds(10);
};

class Taker {
 public:
  // Asks the process that listens in `state_directory`; nothing where none does. With a value the state directory is
  // this process's to lock. An error says why the running process does not give it; it goes on then.
  static absl::StatusOr<std::optional<Taker>> ask(const std::string& state_directory, std::string_view version,
                                                  TakerOptions options = {});

  pid_t from() const { return from_; }
  // What the process listened on; those that are not wanted are left where they are.
  std::vector<Offer>& offers() { return offers_; }

  // What the process gave beside them; empty where it had nothing, or knows of no secrets.
  const std::string& secrets() const { return secrets_; }

  // The other process has ended: nobody else serves.
  bool is_alone() const;

  // This process serves; `kept`: which of the offers, in their order. When it returns OK the other one ends (or is
  // gone), and this one is the one. An error: the other one goes on, and this one has to end at once.
  absl::Status confirm(const std::vector<bool>& kept);

 private:
  Taker(Connection connection, TakerOptions options);
  absl::Status receive_offers();
  // Its end of the connection is closed: because its process has ended?
  bool is_gone() const;

  TakerOptions options_;
  Connection connection_;
  pid_t from_;
  base::Descriptor process_;
  std::vector<Offer> offers_;
  std::string secrets_;
};

}  // namespace fairlead::takeover
