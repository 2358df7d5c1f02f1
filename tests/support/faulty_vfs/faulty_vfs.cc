#include "faulty_vfs/faulty_vfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "sqlite3.h"

namespace fairlead::test_support {
namespace {

constexpr int64_t kSector = 512;
using Sector = std::array<char, kSector>;

// What all connections of the process see of a file beyond what is on disk.
struct Shared {
  explicit Shared(const char* name) : file(open(name, O_PATH | O_CLOEXEC)) {}
  ~Shared() { close(file); }
  // Not where another file has taken its name since.
  bool is_still(const char* name) const {
    struct stat mine;
    struct stat named;
    return fstat(file, &mine) == 0 && stat(name, &named) == 0 && mine.st_ino == named.st_ino;
  }

  // Keeps the file's number from being used again; locks do not mind one that is only a path.
  const int file;
  std::map<int64_t, Sector> unflushed;  // by number
  int64_t size = 0;
  int handles = 0;
};

struct Control {
  std::mutex mutex;
  Faults faults;
  uint64_t writes = 0;
  uint64_t flushes = 0;
  uint64_t hits = 0;
  std::map<std::string, std::shared_ptr<Shared>> files;
  sqlite3_vfs* system = nullptr;
};
Control& control() {
  static Control& instance = *new Control();
  return instance;
}

struct File {
  sqlite3_file base;
  std::shared_ptr<Shared>* shared;  // null: passed on as it is
  bool is_log;
  int last_errno;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }

// --- with the lock held ---

int read_disk(File* file, void* to, int size, int64_t at) {
  int code = file->real()->pMethods->xRead(file->real(), to, size, at);
  return code == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : code;
}

int read_shared(File* file, char* to, int size, int64_t at) {
  Shared& shared = **file->shared;
  std::memset(to, 0, static_cast<size_t>(size));
  if (int code = read_disk(file, to, size, at); code != SQLITE_OK) return code;
  for (auto i = shared.unflushed.lower_bound(at / kSector); i != shared.unflushed.end(); ++i) {
    int64_t begin = std::max(at, i->first * kSector);
    int64_t end = std::min(at + size, (i->first + 1) * kSector);
    if (begin >= end) break;
    std::memcpy(to + (begin - at), i->second.data() + (begin - i->first * kSector), static_cast<size_t>(end - begin));
  }
  if (at + size <= shared.size) return SQLITE_OK;
  int64_t there = std::max<int64_t>(0, shared.size - at);
  std::memset(to + there, 0, static_cast<size_t>(size - there));
  return SQLITE_IOERR_SHORT_READ;
}

int write_shared(File* file, const char* from, int size, int64_t at) {
  Shared& shared = **file->shared;
  for (int64_t number = at / kSector; number * kSector < at + size; ++number) {
    auto [sector, is_new] = shared.unflushed.try_emplace(number);
    if (is_new) {
      sector->second.fill(0);
      if (int code = read_disk(file, sector->second.data(), kSector, number * kSector); code != SQLITE_OK) return code;
    }
    int64_t begin = std::max(at, number * kSector);
    int64_t end = std::min(at + size, (number + 1) * kSector);
    std::memcpy(sector->second.data() + (begin - number * kSector), from + (begin - at),
                static_cast<size_t>(end - begin));
  }
  shared.size = std::max(shared.size, at + size);
  return SQLITE_OK;
}

int flush_shared(File* file) {
  Shared& shared = **file->shared;
  std::vector<int64_t> order;
  for (const auto& [number, sector] : shared.unflushed) order.push_back(number);
  std::shuffle(order.begin(), order.end(), std::minstd_rand(static_cast<uint32_t>(control().flushes)));
  for (int64_t number : order) {
    int64_t size = std::min(kSector, shared.size - number * kSector);
    if (size <= 0) continue;
    int code = file->real()->pMethods->xWrite(file->real(), shared.unflushed[number].data(), static_cast<int>(size),
                                              number * kSector);
    if (code != SQLITE_OK) return code;
  }
  shared.unflushed.clear();
  return SQLITE_OK;
}

bool is_there(const std::string& path) { return !path.empty() && access(path.c_str(), F_OK) == 0; }

bool comes(uint64_t& count, uint64_t wanted) {
  ++count;
  bool hit = wanted != 0 && (control().faults.once ? count == wanted : count >= wanted);
  control().hits += hit;
  return hit;
}

// --- sqlite3_io_methods ---

int file_close(sqlite3_file* base) {
  File* file = of(base);
  {
    std::lock_guard lock(control().mutex);
    if (file->shared) --(*file->shared)->handles;
  }
  delete file->shared;
  return file->real()->pMethods ? file->real()->pMethods->xClose(file->real()) : SQLITE_OK;
}

int file_read(sqlite3_file* base, void* to, int size, sqlite3_int64 at) {
  File* file = of(base);
  if (!file->shared) return file->real()->pMethods->xRead(file->real(), to, size, at);
  std::lock_guard lock(control().mutex);
  return read_shared(file, static_cast<char*>(to), size, at);
}

int file_write(sqlite3_file* base, const void* from, int size, sqlite3_int64 at) {
  File* file = of(base);
  std::lock_guard lock(control().mutex);
  Faults& faults = control().faults;
  if (comes(control().writes, faults.fail_write)) return SQLITE_IOERR_WRITE;
  if (is_there(faults.full_while)) return SQLITE_FULL;
  if (faults.room >= 0) {
    if (faults.room < size && faults.is_quota) {
      file->last_errno = EDQUOT;
      return SQLITE_IOERR_WRITE;
    }
    if (faults.room < size) return SQLITE_FULL;
    faults.room -= size;
  }
  if (file->shared) return write_shared(file, static_cast<const char*>(from), size, at);
  return file->real()->pMethods->xWrite(file->real(), from, size, at);
}

int file_truncate(sqlite3_file* base, sqlite3_int64 size) {
  File* file = of(base);
  std::lock_guard lock(control().mutex);
  if (file->shared) {
    Shared& shared = **file->shared;
    shared.size = size;
    shared.unflushed.erase(shared.unflushed.lower_bound((size + kSector - 1) / kSector), shared.unflushed.end());
  }
  return file->real()->pMethods->xTruncate(file->real(), size);
}

int file_sync(sqlite3_file* base, int flags) {
  File* file = of(base);
  std::unique_lock lock(control().mutex);
  const Faults& faults = control().faults;
  if (comes(control().flushes, faults.fail_flush)) return SQLITE_IOERR_FSYNC;
  if (is_there(faults.failed_flush_while)) return SQLITE_IOERR_FSYNC;
  while (is_there(faults.stuck_flush_while)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (!file->shared) return file->real()->pMethods->xSync(file->real(), flags);
  if (faults.skip_flush && file->is_log) return SQLITE_OK;
  if (!faults.late_flush || !file->is_log) return flush_shared(file);
  lock.unlock();
  std::thread([shared = *file->shared, real = file] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::lock_guard again(control().mutex);
    if (shared->handles > 0) flush_shared(real);
  }).detach();
  return SQLITE_OK;
}

int file_size(sqlite3_file* base, sqlite3_int64* size) {
  File* file = of(base);
  if (!file->shared) return file->real()->pMethods->xFileSize(file->real(), size);
  std::lock_guard lock(control().mutex);
  *size = (*file->shared)->size;
  return SQLITE_OK;
}

int file_lock(sqlite3_file* base, int kind) { return of(base)->real()->pMethods->xLock(of(base)->real(), kind); }
int file_unlock(sqlite3_file* base, int kind) { return of(base)->real()->pMethods->xUnlock(of(base)->real(), kind); }
int file_check(sqlite3_file* base, int* out) {
  return of(base)->real()->pMethods->xCheckReservedLock(of(base)->real(), out);
}
int file_control(sqlite3_file* base, int what, void* argument) {
  // A hint, which would make the real file longer than what was written.
  if (what == SQLITE_FCNTL_SIZE_HINT && of(base)->shared) return SQLITE_OK;
  if (what == SQLITE_FCNTL_LAST_ERRNO && of(base)->last_errno != 0) {
    *static_cast<int*>(argument) = of(base)->last_errno;
    return SQLITE_OK;
  }
  return of(base)->real()->pMethods->xFileControl(of(base)->real(), what, argument);
}
int file_sector(sqlite3_file*) { return static_cast<int>(kSector); }
int file_characteristics(sqlite3_file* base) {
  return of(base)->real()->pMethods->xDeviceCharacteristics(of(base)->real());
}
int shm_map(sqlite3_file* base, int region, int size, int extend, void volatile** out) {
  return of(base)->real()->pMethods->xShmMap(of(base)->real(), region, size, extend, out);
}
int shm_lock(sqlite3_file* base, int offset, int n, int flags) {
  return of(base)->real()->pMethods->xShmLock(of(base)->real(), offset, n, flags);
}
void shm_barrier(sqlite3_file* base) { of(base)->real()->pMethods->xShmBarrier(of(base)->real()); }
int shm_unmap(sqlite3_file* base, int remove) {
  return of(base)->real()->pMethods->xShmUnmap(of(base)->real(), remove);
}

constexpr sqlite3_io_methods kMethods{
    2,           file_close, file_read,    file_write,  file_truncate,        file_sync, file_size, file_lock,
    file_unlock, file_check, file_control, file_sector, file_characteristics, shm_map,   shm_lock,  shm_barrier,
    shm_unmap,   nullptr,    nullptr};

// --- sqlite3_vfs ---

int vfs_open(sqlite3_vfs*, const char* name, sqlite3_file* base, int flags, int* out) {
  File* file = of(base);
  std::memset(static_cast<void*>(file), 0, sizeof *file);
  int code = control().system->xOpen(control().system, name, file->real(), flags, out);
  if (!file->real()->pMethods) return code;
  file->base.pMethods = &kMethods;
  file->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  std::lock_guard lock(control().mutex);
  bool kept = (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0;
  if (!kept || !name || !control().faults.power_cut) return code;
  std::shared_ptr<Shared>& shared = control().files[name];
  if (!shared || !shared->is_still(name)) {
    shared = std::make_shared<Shared>(name);
    sqlite3_int64 size = 0;
    file->real()->pMethods->xFileSize(file->real(), &size);
    shared->size = size;
  }
  ++shared->handles;
  file->shared = new std::shared_ptr<Shared>(shared);
  return code;
}

int vfs_delete(sqlite3_vfs*, const char* name, int sync) {
  {
    std::lock_guard lock(control().mutex);
    control().files.erase(name);
  }
  return control().system->xDelete(control().system, name, sync);
}

Faults faults_from(const char* words) {
  auto has = [&](const char* word) { return std::strstr(words, word) != nullptr; };
  Faults faults;
  faults.skip_flush = has("skip_flush");
  faults.late_flush = has("late_flush");
  faults.power_cut = has("power_cut") || faults.skip_flush || faults.late_flush;
  auto path_behind = [&](const char* word) -> std::string {
    const char* at = std::strstr(words, word);
    if (!at) return {};
    at += std::strlen(word);
    return {at, std::strcspn(at, ",")};
  };
  faults.full_while = path_behind("full_while=");
  faults.failed_flush_while = path_behind("failed_flush_while=");
  faults.stuck_flush_while = path_behind("stuck_flush_while=");
  return faults;
}

// At the start of a program that links this as a whole.
[[maybe_unused]] const bool kInstalled = [] {
  const char* words = std::getenv("FAIRLEAD_FAULTS");
  if (!words) return false;
  install_faulty_vfs();
  set_faults(faults_from(words));
  return true;
}();

}  // namespace

void install_faulty_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
    control().system = system;
    sqlite3_vfs mine = *system;
    mine.szOsFile = static_cast<int>(sizeof(File)) + system->szOsFile;
    mine.zName = "faulty";
    mine.pNext = nullptr;
    mine.xOpen = vfs_open;
    mine.xDelete = vfs_delete;
    // All else the system's does by itself, with its own data.
    return mine;
  }();
  sqlite3_vfs_register(&vfs, 1);
}

void set_faults(const Faults& faults) {
  std::lock_guard lock(control().mutex);
  control().faults = faults;
  control().writes = 0;
  control().flushes = 0;
}

uint64_t faults_so_far() {
  std::lock_guard lock(control().mutex);
  return control().hits;
}

void cut_power() {
  std::lock_guard lock(control().mutex);
  control().files.clear();
}

}  // namespace fairlead::test_support
