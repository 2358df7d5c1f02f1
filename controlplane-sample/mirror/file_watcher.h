// Tells the text of a file now and whenever it may have changed: written in place, replaced by a rename (as editors and
// configuration tools do), or reached over a symbolic link that was set anew. Where links lead into another folder, the
// file there is read every second.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fairlead::mirror {

// The whole file. Errors name it.
absl::StatusOr<std::string> read_file(const std::string& path);

// Runs one thread, which destroying it ends and joins.
class FileWatcher {
 public:
  // `listener` is called from the thread with the text, where it is another than the last, or with why it cannot be
  // read, once for each reason.
  using Listener = std::function<void(absl::StatusOr<std::string>)>;

  FileWatcher(std::string path, Listener listener);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  // Of what the kernel refused at the start: without a watch, the file is read every second.
  const absl::Status& status() const { return status_; }

 private:
  void run();
  void watch();
  // Until something may have happened to the file; false when it is time to end.
  bool wait();
  bool leads_elsewhere() const;
  bool concerns_file();
  void read();

  const std::string path_;
  const std::string folder_;
  const std::string name_;
  const Listener listener_;
  int inotify_ = -1;
  int ending_ = -1;
  int watched_ = -1;
  absl::Status status_;
  std::string text_;
  bool told_ = false;
  std::string told_error_;
  std::thread thread_;  // Last: it uses all the others.
};

}  // namespace fairlead::mirror
