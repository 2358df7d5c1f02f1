// Assertions about our own code, in every build. What comes from outside is never asserted: it is a Result or a Status.
#pragma once

#include <cstdio>
#include <cstdlib>

#define FAIRLEAD_CHECK(condition)                                                            \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
