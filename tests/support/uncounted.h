// What the simulation itself allocates, on behalf of the code under test, is not that code's: a test that counts
// allocations leaves out what happens while one of these lives.
#pragma once

namespace fairlead::test_support {

class Uncounted {
 public:
  Uncounted() { ++depth_; }
  ~Uncounted() { --depth_; }
  Uncounted(const Uncounted&) = delete;
  Uncounted& operator=(const Uncounted&) = delete;
  static bool is_active() { return depth_ > 0; }

 private:
  static inline thread_local int depth_ = 0;
};

}  // namespace fairlead::test_support
