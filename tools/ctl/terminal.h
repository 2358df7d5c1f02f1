// The terminal while a full-screen program runs on it: alternate screen, single keys, restored whatever ends the
// program.
#pragma once

#include <termios.h>

#include <chrono>
#include <string>
#include <vector>

namespace fairlead::ctl {

enum class TerminalEvent { kNone, kKey, kResized, kQuit, kWoken };

// At most one at a time: it owns the handlers of SIGINT, SIGTERM, SIGHUP and SIGWINCH while it lives. One thread uses
// it; wake() may be called by any.
class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  int width() const { return width_; }
  int height() const { return height_; }

  // Waits for one thing to happen. After kKey, key() says which: a character, or "up", "down", "page up", "page down",
  // "home", "end".
  TerminalEvent wait(std::chrono::milliseconds timeout);
  const std::string& key() const { return key_; }

  // The whole screen, in one write.
  void draw(const std::vector<std::string>& lines);
  void wake();

 private:
  TerminalEvent read_keys();
  TerminalEvent read_signal();
  void measure();

  termios before_{};
  int pipe_[2] = {-1, -1};
  int width_ = 80;
  int height_ = 24;
  std::string key_;
};

}  // namespace fairlead::ctl
