#include "mirror/file_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::mirror {
namespace {

// A file that is being written is not read: only its end, or its replacement, is news.
constexpr std::uint32_t kNews =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr int kWithoutWatchMs = 1000;

std::string folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

}  // namespace

absl::StatusOr<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.good() || file.eof()) return text;
  return absl::ErrnoToStatus(errno == 0 ? EIO : errno, absl::StrCat("cannot read ", path));
}

FileWatcher::FileWatcher(std::string path, Listener listener)
    : path_(std::move(path)),
      folder_(folder_of(path_)),
      name_(std::filesystem::path(path_).filename().string()),
      listener_(std::move(listener)),
      inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      ending_(eventfd(0, EFD_CLOEXEC)) {
  if (inotify_ < 0) status_ = absl::ErrnoToStatus(errno, absl::StrCat("cannot watch ", folder_));
  watch();
  thread_ = std::thread([this] { run(); });
}

FileWatcher::~FileWatcher() {
  const std::uint64_t one = 1;
  // It cannot fail: the counter is far from its end.
  [[maybe_unused]] const ssize_t written = write(ending_, &one, sizeof one);
  thread_.join();
  if (inotify_ >= 0) close(inotify_);
  close(ending_);
}

void FileWatcher::watch() {
  if (inotify_ < 0 || watched_ >= 0) return;
  watched_ = inotify_add_watch(inotify_, folder_.c_str(), kNews);
}

void FileWatcher::run() {
  do {
    watch();
    read();
  } while (wait());
}

bool FileWatcher::wait() {
  while (true) {
    pollfd polled[] = {{.fd = ending_, .events = POLLIN, .revents = 0},
                       {.fd = inotify_, .events = POLLIN, .revents = 0}};
    const int ready = poll(polled, 2, watched_ < 0 || leads_elsewhere() ? kWithoutWatchMs : -1);
    if ((polled[0].revents & POLLIN) != 0) return false;
    if (ready == 0 || ((polled[1].revents & POLLIN) != 0 && concerns_file())) return true;
  }
}

// Over symbolic links into a folder that is not watched.
bool FileWatcher::leads_elsewhere() const {
  std::error_code ignored;
  const std::filesystem::path file = std::filesystem::weakly_canonical(path_, ignored);
  return file.parent_path() != std::filesystem::weakly_canonical(folder_, ignored);
}

bool FileWatcher::concerns_file() {
  alignas(inotify_event) char buffer[4096];
  std::error_code ignored;
  // Whatever it points over may be what changed.
  bool concerns = std::filesystem::is_symlink(path_, ignored);
  ssize_t size = 0;
  while ((size = ::read(inotify_, buffer, sizeof buffer)) > 0) {
    for (const char* next = buffer; next < buffer + size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(next);
      next += sizeof(inotify_event) + event->len;
      if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) {
        if ((event->mask & IN_MOVE_SELF) != 0) inotify_rm_watch(inotify_, watched_);
        watched_ = -1;
        concerns = true;
      }
      // One that was just made is still empty, unless it is a link.
      const bool named = (event->mask & IN_CREATE) == 0 && event->len > 0 && name_ == event->name;
      concerns = concerns || named || (event->mask & IN_Q_OVERFLOW) != 0;
    }
  }
  return concerns;
}

void FileWatcher::read() {
  absl::StatusOr<std::string> text = read_file(path_);
  if (!text.ok()) {
    const std::string error(text.status().message());
    if (std::exchange(told_error_, error) != error) listener_(text.status());
    return;
  }
  told_error_.clear();
  if (told_ && *text == text_) return;
  told_ = true;
  text_ = *text;
  listener_(*std::move(text));
}

}  // namespace fairlead::mirror
