// Whether a caller may do what it asks for: holds roles.h against its role, says so in words and in the log. Any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fairlead/v1/management.pb.h"
#include "grpcpp/support/status.h"
#include "management/counts.h"
#include "management/log_budget.h"
#include "management/peers.h"
#include "store/transaction.h"

namespace fairlead::management {

class Guard {
 public:
  explicit Guard(Counts& counts) : counts_(counts) {}

  // Why `peer` may not call this method ("AddServer"), whatever it says with it.
  std::optional<grpc::Status> refusal_of_call(const Peer& peer, std::string_view method);
  // Why it may not do `what` ("resync 4"), for which that role is needed.
  std::optional<api::Failure> refusal(const Peer& peer, v1::Role needed, std::string what);
  // Where it may not send one of the operations, or not by that right: makes of `transaction`, which was made of
  // `message`, one that is refused in its turn, and returns true.
  bool restrict(const Peer& peer, const v1::Transaction& message, const v1::Fence& fence,
                store::Transaction& transaction);

 private:
  void note(const Peer& peer, const std::string& text);

  Counts& counts_;
  LogBudget log_;
};

}  // namespace fairlead::management
