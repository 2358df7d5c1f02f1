// Something that waits for a single moment: most often a suspended coroutine.
#pragma once

#include "base/intrusive_list.h"

namespace fairlead::runtime {

enum class Wake : unsigned char { kReady, kTimedOut, kCancelled };

struct ReadyQueueTag {};

// Part of the frame of what waits; alive until it was woken. `wake` is called once for each time it was registered, on
// the loop's thread.
class Waiter : public base::ListNode<ReadyQueueTag> {
 public:
  using Function = void (*)(Waiter&, Wake);
  explicit Waiter(Function function) : function_(function) {}
  void wake(Wake reason) { function_(*this, reason); }

 private:
  friend class Loop;
  Function function_;
  Wake posted_ = Wake::kReady;
};

}  // namespace fairlead::runtime
