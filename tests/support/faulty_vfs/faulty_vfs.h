// SQLite's files with faults: a layer over the system's, for tests. It becomes the default when it is installed, for
// all connections that are opened from then on. Any thread.
//
// A program that links it installs it at its start where FAIRLEAD_FAULTS is set, to words with commas between:
// power_cut, skip_flush, late_flush; full_while=PATH, failed_flush_while=PATH, stuck_flush_while=PATH.
#pragma once

#include <cstdint>
#include <string>

namespace fairlead::test_support {

struct Faults {
  // The n-th write from now on fails, and those after it; 0: none.
  uint64_t fail_write = 0;
  // As it, of flushes.
  uint64_t fail_flush = 0;
  // Only that one fails, not those after it.
  bool once = false;
  // Bytes that may still be written; less than 0: as many as one likes.
  int64_t room = -1;
  // It is a quota that says so, not the disk.
  bool is_quota = false;
  // What is not flushed is only in memory: when the process is killed, it is lost as if the power had been cut. A flush
  // writes sectors of 512 bytes in no particular order, so that one that is cut short leaves a torn record.
  bool power_cut = false;
  // A flush of the write-ahead log that says it was done and does nothing: only with power_cut.
  bool skip_flush = false;
  // One that says it was done a moment before it is: only with power_cut.
  bool late_flush = false;
  // While something is at this path, there is no room, and
  std::string full_while{};
  // flushes fail. From outside of the process.
  std::string failed_flush_while{};
  // Or do not end.
  std::string stuck_flush_while{};
};

void install_faulty_vfs();
// From now on.
void set_faults(const Faults& faults);
// How often a write or a flush has failed for it.
uint64_t faults_so_far();
// As if the power was cut now: what was not flushed is gone for whoever opens the files anew. All connections must be
// closed.
void cut_power();

}  // namespace fairlead::test_support
