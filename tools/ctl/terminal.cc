#include "ctl/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <map>

namespace fairlead::ctl {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
constexpr char kWakeByte = 'w';
constexpr char kQuitByte = 'q';
constexpr char kResizeByte = 'r';

// Where the signal handler writes; -1 while no Terminal lives.
std::atomic<int> signal_pipe{-1};

void on_signal(int signal) {
  const int saved = errno;
  const char byte = signal == SIGWINCH ? kResizeByte : kQuitByte;
  [[maybe_unused]] const ssize_t written = write(signal_pipe.load(), &byte, 1);
  errno = saved;
}

void write_all(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) return;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
}

}  // namespace

Terminal::Terminal() {
  if (pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) != 0) pipe_[0] = pipe_[1] = -1;
  signal_pipe = pipe_[1];
  tcgetattr(STDIN_FILENO, &before_);
  termios raw = before_;
  // Ctrl-C comes as a key: a signal could fall between two escape sequences.
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  struct sigaction action{};
  action.sa_handler = on_signal;
  for (int signal : kSignals) sigaction(signal, &action, nullptr);
  measure();
  write_all("\x1b[?1049h\x1b[?25l\x1b[?7l");  // alternate screen, no cursor, no wrapping
}

Terminal::~Terminal() {
  write_all("\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l");
  tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  for (int signal : kSignals) std::signal(signal, SIG_DFL);
  signal_pipe = -1;
  close(pipe_[0]);
  close(pipe_[1]);
}

TerminalEvent Terminal::wait(std::chrono::milliseconds timeout) {
  pollfd files[] = {{STDIN_FILENO, POLLIN, 0}, {pipe_[0], POLLIN, 0}};
  if (poll(files, 2, static_cast<int>(timeout.count())) <= 0) return TerminalEvent::kNone;
  if (files[1].revents != 0) return read_signal();
  return read_keys();
}

TerminalEvent Terminal::read_keys() {
  static const std::map<std::string, std::string> kSequences = {
      {"\x1b[A", "up"},       {"\x1bOA", "up"},         {"\x1b[B", "down"}, {"\x1bOB", "down"},
      {"\x1b[5~", "page up"}, {"\x1b[6~", "page down"}, {"\x1b[H", "home"}, {"\x1b[F", "end"}};
  char bytes[64];
  const ssize_t size = read(STDIN_FILENO, bytes, sizeof(bytes));
  if (size == 0) return TerminalEvent::kQuit;  // the terminal is gone
  if (size < 0) return errno == EINTR || errno == EAGAIN ? TerminalEvent::kNone : TerminalEvent::kQuit;
  const std::string text(bytes, static_cast<std::size_t>(size));
  if (text[0] == '\x03') return TerminalEvent::kQuit;
  const auto sequence = kSequences.find(text);
  key_ = sequence != kSequences.end() ? sequence->second : text.substr(0, 1);
  return TerminalEvent::kKey;
}

TerminalEvent Terminal::read_signal() {
  char byte = 0;
  if (read(pipe_[0], &byte, 1) != 1) return TerminalEvent::kNone;
  if (byte == kQuitByte) return TerminalEvent::kQuit;
  if (byte == kWakeByte) return TerminalEvent::kWoken;
  measure();
  return TerminalEvent::kResized;
}

void Terminal::measure() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return;
  width_ = size.ws_col;
  height_ = size.ws_row;
}

void Terminal::draw(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    // Cleared first: behind a line as wide as the screen the cursor still stands on its last column.
    text += "\x1b[K" + lines[i];
    if (i + 1 < lines.size()) text += "\r\n";
  }
  write_all(text + "\x1b[J");
}

void Terminal::wake() { [[maybe_unused]] const ssize_t written = write(pipe_[1], &kWakeByte, 1); }

}  // namespace fairlead::ctl
