// The running process's side of a takeover: waits for one that wants to take over, gives it everything, or goes on.
//
// Owns a thread, on which the host is called, and the socket that others come to. One thread starts and stops it.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "takeover/connection.h"
#include "takeover/protocol.h"

namespace fairlead::takeover {

// What the story needs of the process. Called on the giver's thread.
class Host {
 public:
  virtual ~Host() = default;
  // Takes no more writes, makes what it has taken durable, and lets go of the state directory's files and lock: nothing
  // is written there any more. Where it fails, take_state_back() is called.
  virtual absl::Status give_up_state() = 0;
  // Locks the state directory again and takes writes again. An error, for one where another process has it: called
  // again. `changes_count`: the other process may have served, so what it has changed is not to be undone.
  virtual absl::Status take_state_back(bool changes_count) = 0;
  // All addresses where it listens, with copies of its sockets.
  virtual std::vector<Offer> offer() = 0;
  // What goes to the other process beside the sockets, if it asks for it; may be empty.
  virtual std::string secrets() = 0;
  // The other process serves. `kept`: for each offer whether it has its sockets; the others are this process's to end.
  virtual void leave(const std::vector<bool>& kept) = 0;
};

struct GiverOptions {
  // Until the other process has said what it wants, or has taken what it was sent.
  std::chrono::milliseconds step = std::chrono::seconds(5);
  // Until it serves: it loads the whole state in this time.
  std::chrono::milliseconds load = std::chrono::minutes(1);
  // How often it is said meanwhile that writes wait for it.
  std::chrono::milliseconds reminder = std::chrono::seconds(10);
};

class Giver {
 public:
  using Options = GiverOptions;

  // `listening`: from listen_at(), or as the process before handed it over. `host` outlives this.
  Giver(Host& host, base::Descriptor listening, Options options = {});
  // Ends as by stop().
  ~Giver() { stop(); }
  Giver(const Giver&) = delete;
  Giver& operator=(const Giver&) = delete;

  // The host may be called from now on.
  void start();
  // Of the socket that others come to, for an offer.
  base::Descriptor copy_of_socket() const { return base::Descriptor::copy_of(listening_.get()); }
  // This process ends. A takeover that is under way is left to the other process, as if it served all: true then, and
  // where it has taken over. Idempotent.
  bool stop();

 private:
  void run();
  bool wait_for_visitor();
  // True when the other process has taken over.
  bool serve(Connection visitor);
  absl::StatusOr<std::string> hear_hello(Connection& visitor);
  absl::Status hand_over(Connection& visitor);
  absl::Status send_offers(Connection& visitor, const std::vector<Offer>& offers);
  // Waits for "serving", and sends away whoever else comes meanwhile.
  absl::StatusOr<std::string> hear_serving(Connection& visitor);
  // True: it was too late, the other process has taken over.
  bool take_back();
  void send_away(const std::string& why);

  Host& host_;
  const base::Descriptor listening_;
  const Options options_;
  const base::Descriptor stopping_;
  // What is told to a second visitor, and in the log.
  pid_t visitor_ = 0;
  bool wants_secrets_ = false;
  // It said that it serves.
  bool serving_was_said_ = false;
  // It closed the connection and had not said so. Else, as after a deadline, it may serve by now, unheard.
  bool ended_unserved_ = false;
  std::vector<bool> kept_;
  bool taken_ = false;
  std::thread thread_;
};

}  // namespace fairlead::takeover
