// The entry that libFuzzer calls, for the target named by the build.
#include <cstddef>
#include <cstdint>

#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fairlead::FAIRLEAD_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
