#include "journal/file_check.h"

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "journal/schema.h"

namespace fairlead::journal {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

uint32_t big_endian(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

// The format is SQLite's: https://www.sqlite.org/walformat.html
constexpr size_t kLogHeader = 32;
constexpr size_t kFrameHeader = 24;
constexpr uint32_t kMagic = 0x377f0682;  // the last bit: checksums over big-endian words

struct Sums {
  uint32_t first = 0;
  uint32_t second = 0;
  friend bool operator==(const Sums&, const Sums&) = default;

  void add(const uint8_t* at, size_t size, bool big) {
    for (size_t i = 0; i < size; i += 8) {
      first += word(at + i, big) + second;
      second += word(at + i + 4, big) + first;
    }
  }

 private:
  static uint32_t word(const uint8_t* at, bool big) {
    if (big) return big_endian(at);
    uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
};

struct Log {
  File file;
  bool big_endian_sums = false;
  size_t page_size = 0;
  std::array<uint8_t, 8> salts{};
  Sums sums;
};

// None: nothing of the log counts, as SQLite sees it.
std::optional<Log> read_log_header(File file) {
  std::array<uint8_t, kLogHeader> header;
  if (std::fread(header.data(), 1, kLogHeader, file.get()) != kLogHeader) return std::nullopt;
  Log log;
  log.file = std::move(file);
  uint32_t magic = big_endian(header.data());
  log.big_endian_sums = (magic & 1) != 0;
  log.page_size = big_endian(header.data() + 8);
  bool is_power = log.page_size >= 512 && log.page_size <= 65536 && (log.page_size & (log.page_size - 1)) == 0;
  log.sums.add(header.data(), 24, log.big_endian_sums);
  Sums written{big_endian(header.data() + 24), big_endian(header.data() + 28)};
  if ((magic & ~1u) != kMagic || !is_power || written != log.sums) return std::nullopt;
  std::memcpy(log.salts.data(), header.data() + 16, log.salts.size());
  return log;
}

struct Frame {
  // It is of this log, and says of itself what its content is.
  bool holds = false;
  // It is of this log, and a transaction ends with it.
  bool is_commit = false;
};

// Of the frame as it stands behind one with the checksums `before`, which become its own.
Frame look_at(const std::vector<uint8_t>& frame, const Log& log, Sums& before) {
  Sums sums = before;
  sums.add(frame.data(), 8, log.big_endian_sums);
  sums.add(frame.data() + kFrameHeader, log.page_size, log.big_endian_sums);
  before = {big_endian(frame.data() + 16), big_endian(frame.data() + 20)};
  bool is_ours = std::memcmp(frame.data() + 8, log.salts.data(), log.salts.size()) == 0;
  return {.holds = is_ours && sums == before, .is_commit = is_ours && big_endian(frame.data() + 4) != 0};
}

absl::Status no_header(const std::string& log, off_t size) {
  // A log begins with its header, flushed before the first transaction is.
  if (size < static_cast<off_t>(kLogHeader + 2 * (kFrameHeader + 512))) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(log, ": is damaged: its header does not hold"));
}

}  // namespace

absl::Status check_header(const std::string& path) {
  struct stat found;
  if (stat(path.c_str(), &found) != 0) return absl::NotFoundError(absl::StrCat(path, ": ", strerror(errno)));
  if (!S_ISREG(found.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, ": is not a file"));
  File file(std::fopen(path.c_str(), "rb"));
  if (!file) return absl::FailedPreconditionError(absl::StrCat(path, ": ", strerror(errno)));
  std::array<uint8_t, 100> header;
  size_t size = std::fread(header.data(), 1, header.size(), file.get());
  if (size != header.size() || std::memcmp(header.data(), "SQLite format 3", 16) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is not a journal of fairlead, nor any SQLite file; move it away or name another folder"));
  }
  if (big_endian(header.data() + 68) != static_cast<uint32_t>(kApplicationId)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is another program's SQLite file; move it away or name another folder"));
  }
  return absl::OkStatus();
}

absl::Status check_log(const std::string& path) {
  std::string name = path + "-wal";
  struct stat found;
  File file(std::fopen(name.c_str(), "rb"));
  if (!file || fstat(fileno(file.get()), &found) != 0 || found.st_size == 0) return absl::OkStatus();
  std::optional<Log> log = read_log_header(std::move(file));
  if (!log) return no_header(name, found.st_size);
  std::vector<uint8_t> bytes(kFrameHeader + log->page_size);
  std::optional<uint64_t> broken;
  bool was_committed = false;
  for (uint64_t number = 1; std::fread(bytes.data(), 1, bytes.size(), log->file.get()) == bytes.size(); ++number) {
    Frame frame = look_at(bytes, *log, log->sums);
    if (!broken) {
      if (frame.holds) continue;
      broken = number;
      was_committed = frame.is_commit;
      continue;
    }
    if (frame.holds && was_committed) {
      return absl::DataLossError(absl::StrCat(name, ": is damaged in the middle, at frame ", *broken,
                                              ": transactions that were acknowledged stand behind it"));
    }
    was_committed = frame.holds && frame.is_commit;
  }
  return absl::OkStatus();
}

}  // namespace fairlead::journal
