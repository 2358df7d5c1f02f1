#include "observe/access_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "observe/access_record.h"
#include "observe/byte_ring.h"
#include "spdlog/spdlog.h"

namespace fairlead::observe {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

std::string line_of(const AccessRecord& record, size_t size = kAccessLineMax) {
  std::string line(size, '?');
  line.resize(format_access_line(record, line.data(), size));
  return line;
}

TEST(AccessLine, SaysWhatHappened) {
  using namespace std::chrono_literals;
  AccessRecord record;
  record.time = std::chrono::sys_days(std::chrono::year(2026) / 1 / 31) + 12h + 5min + 7s + 123456us;
  record.client = "192.0.2.1:4711";
  record.listener = "web";
  record.backend = "app";
  record.server = "s1";
  record.method = "GET";
  record.target = "/a?b";
  record.version = "HTTP/1.1";
  record.status = 200;
  record.bytes_in = 5;
  record.bytes_out = 34;
  record.head = 12us;
  record.wait = 0us;
  record.connect = 180us;
  record.first_byte = 950us;
  record.total = 1s;
  record.retries = 1;
  record.end = "complete";
  EXPECT_EQ(line_of(record),
            "time=2026-01-31T12:05:07.123456Z client=192.0.2.1:4711 listener=web backend=app server=s1 method=GET "
            "target=/a?b version=HTTP/1.1 status=200 bytes_in=5 bytes_out=34 head_us=12 wait_us=0 connect_us=180 "
            "first_byte_us=950 total_us=1000000 retries=1 end=complete\n");
}

TEST(AccessLine, WhatThereWasNoneOfIsADash) {
  EXPECT_EQ(line_of({}),
            "time=1970-01-01T00:00:00.000000Z client=- listener=- backend=- server=- method=- target=- version=- "
            "status=- bytes_in=0 bytes_out=0 head_us=- wait_us=- connect_us=- first_byte_us=- total_us=- retries=0 "
            "end=-\n");
}

TEST(AccessLine, HostileTextStaysInItsField) {
  struct Case {
    std::string_view target;
    std::string_view written;
  };
  using namespace std::string_view_literals;
  for (auto [target, written] : {Case{"/plain", "/plain"},
                                 {"-", R"("-")"},
                                 {"a b", R"("a b")"},
                                 {"a=b", R"("a=b")"},
                                 {"a\" status=200", R"("a\" status=200")"},
                                 {"a\\", R"("a\\")"},
                                 {"a\nclient=x\r\n", R"("a\nclient=x\r\n")"},
                                 {"\t\0\x1b[2J\x7f\x80\xff"sv, R"("\t\x00\x1b[2J\x7f\x80\xff")"},
                                 {"\"", R"("\"")"}}) {
    AccessRecord record;
    record.target = target;
    EXPECT_THAT(line_of(record), HasSubstr(" target=" + std::string(written) + " version=-"));
  }
}

TEST(AccessLine, IsOneLineThatFitsWhateverIsInIt) {
  std::string long_text(20'000, '\x01');
  AccessRecord record;
  record.client = record.listener = record.backend = record.server = record.method = record.target = record.version =
      record.end = long_text;
  record.time = std::chrono::system_clock::time_point::max();
  record.status = 65'535;
  record.bytes_in = record.bytes_out = UINT64_MAX;
  record.retries = UINT32_MAX;
  record.head = record.wait = record.connect = record.first_byte = record.total = std::chrono::microseconds::max();
  std::string line = line_of(record);
  EXPECT_LE(line.size(), kAccessLineMax);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_THAT(line, HasSubstr(" end=\"\\x01"));
  EXPECT_THAT(line, EndsWith("\\x01...\"\n"));
  for (size_t size : {1, 2, 50, 1'000}) {
    std::string cut = line_of(record, size);
    EXPECT_EQ(cut.size(), size);
    EXPECT_EQ(cut.find('\n'), size - 1);
  }
}

TEST(ByteRing, WritesAPieceWholeOrNotAtAll) {
  ByteRing ring(16);
  EXPECT_TRUE(ring.try_write("0123456789"));
  EXPECT_FALSE(ring.try_write("0123456"));
  EXPECT_TRUE(ring.try_write("abcdef"));
  EXPECT_FALSE(ring.try_write("x"));
  ring.consume(12);
  EXPECT_TRUE(ring.try_write("ABCDEF"));
  auto [first, second] = ring.readable();
  EXPECT_EQ(std::string(first) + std::string(second), "cdefABCDEF");
  ring.consume(first.size() + second.size());
  EXPECT_EQ(ring.readable()[0].size() + ring.readable()[1].size(), 0u);
  EXPECT_FALSE(ring.try_write("more than sixteen bytes"));
}

// Pieces of all lengths through a small ring; for the thread sanitizer as well.
TEST(ByteRing, CarriesEverythingInOrderBetweenTwoThreads) {
  ByteRing ring(256);
  constexpr int kPieces = 50'000;
  std::string sent;
  std::thread writing([&] {
    std::mt19937 random(1);
    for (int i = 0; i < kPieces; ++i) {
      std::string piece(1 + random() % 100, static_cast<char>('a' + random() % 26));
      piece.back() = '\n';
      while (!ring.try_write(piece)) std::this_thread::yield();
      sent += piece;
    }
  });
  std::string received;
  int pieces = 0;
  while (pieces < kPieces) {
    size_t size = 0;
    std::string seen;
    for (std::string_view part : ring.readable()) seen += part, size += part.size();
    if (size == 0) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(seen.back(), '\n') << "only whole pieces are seen";
    pieces += static_cast<int>(std::ranges::count(seen, '\n'));
    received += seen;
    ring.consume(size);
  }
  writing.join();
  EXPECT_EQ(received, sent);
}

class AccessLogTest : public testing::Test {
 protected:
  AccessLogTest() {
    std::string pattern = testing::TempDir() + "fairlead-access-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~AccessLogTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::unique_ptr<AccessLog> open(const std::string& path, unsigned workers = 1, size_t ring_bytes = 1 << 16) {
    auto log = AccessLog::open({path, workers, ring_bytes});
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? std::move(*log) : nullptr;
  }
  static AccessRecord record_of(std::string_view target) {
    AccessRecord record;
    record.target = target;
    return record;
  }
  // The targets of a log's lines.
  static std::vector<std::string> targets_in(const std::string& path) {
    std::vector<std::string> targets;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      size_t begin = line.find(" target=") + 8;
      targets.push_back(line.substr(begin, line.find(' ', begin) - begin));
    }
    return targets;
  }

  std::string folder_;
};

TEST_F(AccessLogTest, ClosingWritesWhatThereIs) {
  auto log = open(path("log"), 2);
  log->write(0, record_of("/a"));
  log->write(1, record_of("/b"));
  log.reset();
  EXPECT_THAT(targets_in(path("log")), testing::UnorderedElementsAre("/a", "/b"));
}

TEST_F(AccessLogTest, AppendsToWhatIsThere) {
  for (const char* target : {"/a", "/b"}) open(path("log"))->write(0, record_of(target));
  EXPECT_THAT(targets_in(path("log")), ElementsAre("/a", "/b"));
}

TEST_F(AccessLogTest, ReopensAfterARotation) {
  auto log = open(path("log"));
  log->write(0, record_of("/before"));
  log->flush();
  std::filesystem::rename(path("log"), path("log.1"));
  log->write(0, record_of("/between"));
  log->reopen();
  log->flush();
  log->write(0, record_of("/after"));
  log->flush();
  EXPECT_THAT(targets_in(path("log.1")), ElementsAre("/before", "/between"));
  EXPECT_THAT(targets_in(path("log")), ElementsAre("/after"));
}

TEST_F(AccessLogTest, KeepsTheOldFileWhereReopeningFails) {
  std::filesystem::create_directory(path("logs"));
  auto log = open(path("logs/log"));
  std::filesystem::rename(path("logs"), path("moved"));
  log->reopen();
  log->flush();
  log->write(0, record_of("/a"));
  log->flush();
  EXPECT_THAT(targets_in(path("moved/log")), ElementsAre("/a"));
}

TEST_F(AccessLogTest, RefusesAPathThatCannotBeOpened) {
  auto log = AccessLog::open({path("none/log"), 1, 1 << 16});
  EXPECT_EQ(log.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(log.status().message()), HasSubstr(path("none/log") + " cannot be opened: No such file"));
  EXPECT_EQ(AccessLog::open({path("log"), 1, 100}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(AccessLogTest, RefusesAFifoThatNobodyReads) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  auto log = AccessLog::open({path("pipe"), 1, 1 << 16});
  EXPECT_EQ(log.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(log.status().message()), EndsWith("/pipe cannot be opened: nobody reads this FIFO"));
}

// What spdlog says of it goes to standard output here.
TEST_F(AccessLogTest, TheLogSaysWhenLinesBeginToBeLostAndWhenNoMoreAre) {
  testing::internal::CaptureStdout();
  std::filesystem::create_symlink("/dev/full", path("log"));
  auto log = open(path("log"));
  for (const char* target : {"/a", "/b"}) {
    log->write(0, record_of(target));
    log->flush();
  }
  std::filesystem::remove(path("log"));
  log->reopen();
  log->flush();
  for (const char* target : {"/c", "/d"}) {
    log->write(0, record_of(target));
    log->flush();
  }
  spdlog::default_logger()->flush();
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_THAT(targets_in(path("log")), ElementsAre("/c", "/d"));
  EXPECT_EQ(std::ranges::count(said, '\n'), 2) << said;
  EXPECT_THAT(said, HasSubstr("lines are lost, " + path("log") + " cannot be written: No space left on device\n"));
  EXPECT_THAT(said, HasSubstr(path("log") + " is written again, 2 lines were lost so far\n"));
}

// Workers in full flight, while the file is rotated: each line is in one of the files, or counted.
TEST_F(AccessLogTest, LosesNothingUncounted) {
  constexpr unsigned kWorkers = 2;
  constexpr int kLines = 5'000;
  auto log = open(path("log"), kWorkers);
  std::vector<std::thread> workers;
  for (unsigned worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&log, worker] {
      for (int i = 0; i < kLines; ++i) {
        std::string target = std::to_string(worker) + ":" + std::to_string(i);
        log->write(worker, record_of(target));
      }
    });
  }
  std::filesystem::rename(path("log"), path("log.1"));
  log->reopen();
  for (auto& worker : workers) worker.join();
  log->flush();
  size_t written = 0;
  std::map<char, int> last;
  for (const char* name : {"log.1", "log"}) {
    for (const std::string& target : targets_in(path(name))) {
      int number = std::stoi(target.substr(2));
      if (last.contains(target[0])) ASSERT_GT(number, last[target[0]]) << "lines of one worker are in order";
      last[target[0]] = number;
      ++written;
    }
  }
  EXPECT_EQ(written + log->dropped_by_worker(0) + log->dropped_by_worker(1), kWorkers * kLines);
  EXPECT_EQ(log->dropped_by_writer(), 0u);
}

TEST_F(AccessLogTest, APipeThatNobodyReadsHoldsUpNobody) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GT(fcntl(reader, F_SETPIPE_SZ, PIPE_BUF), 0);
  auto log = open(path("pipe"), 1, kAccessLineMax * 2);
  for (int i = 0; i < 5'000; ++i) log->write(0, record_of(std::string(1'000, 'x')));
  EXPECT_GT(log->dropped_by_worker(0), 4'900u);
  log.reset();  // ends although nobody reads
  close(reader);
}

TEST_F(AccessLogTest, CountsWhatAPipeWithoutAReaderLoses) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  auto log = open(path("pipe"));
  close(reader);
  for (int i = 0; i < 3; ++i) log->write(0, record_of("/a"));
  log->flush();
  EXPECT_EQ(log->dropped_by_writer(), 3u);
}

}  // namespace
}  // namespace fairlead::observe
