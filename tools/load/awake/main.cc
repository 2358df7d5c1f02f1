// fairlead-awake: does nothing, without sleeping, until it is ended. Beside a measurement, on time that nobody else
// wants, it keeps a processor from going to sleep.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <sched.h>

int main() {
  for (;;) {
    sched_yield();
#if defined(__x86_64__)
    _mm_pause();
#else
    asm volatile("");
#endif
  }
}
