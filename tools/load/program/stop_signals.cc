#include "program/stop_signals.h"

#include <atomic>
#include <csignal>

namespace fairlead::program {
namespace {

std::atomic<int> signal_count = 0;
std::atomic<runtime::Driver*> woken = nullptr;

void on_signal(int) {
  signal_count.fetch_add(1, std::memory_order_relaxed);
  if (runtime::Driver* driver = woken.load()) driver->wake();
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

}  // namespace

StopSignals::StopSignals(runtime::Driver& driver) {
  woken = &driver;
  handle(SIGTERM, on_signal);
  handle(SIGINT, on_signal);
}

StopSignals::~StopSignals() {
  handle(SIGTERM, SIG_DFL);
  handle(SIGINT, SIG_DFL);
  woken = nullptr;
}

int StopSignals::count() const { return signal_count.load(std::memory_order_relaxed); }

}  // namespace fairlead::program
