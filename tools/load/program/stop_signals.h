// SIGTERM and SIGINT as a question that the loop asks at each turn. One object in a process.
#pragma once

#include "runtime/driver.h"

namespace fairlead::program {

class StopSignals {
 public:
  // The driver outlives this object; a signal ends its wait.
  explicit StopSignals(runtime::Driver& driver);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // How many came.
  int count() const;
};

}  // namespace fairlead::program
