#include <algorithm>

#include "ctl/table.h"
#include "ctl/top_model.h"
#include "ctl/top_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

v1::StreamStatisticsResponse sample(int servers) {
  v1::StreamStatisticsResponse message;
  message.mutable_start()->set_seconds(100);
  message.mutable_end()->set_seconds(102);
  v1::BackendStatistics& backend = *message.add_backends();
  backend.set_backend("app");
  backend.set_eligible_servers(static_cast<std::uint64_t>(servers));
  v1::Counters& counters = *backend.mutable_counters();
  counters.set_finished(200);
  counters.set_failed_connect(4);
  counters.set_in_flight(7);
  v1::Bucket& bucket = *counters.mutable_latency()->add_buckets();
  bucket.set_upper_us(1500);
  bucket.set_count(204);
  for (int i = 1; i <= servers; ++i) {
    v1::ServerStatistics& server = *backend.add_servers();
    server.set_name("s" + std::to_string(i));
    server.set_lifecycle(v1::LIFECYCLE_READY);
    server.mutable_counters()->set_finished(static_cast<std::uint64_t>(10 * (i % 4)));
  }
  return message;
}

TEST(Quantile, IsTheBucketInWhichTheShareIsReached) {
  v1::Histogram histogram;
  EXPECT_EQ(quantile_us(histogram, 0.5), 0u);
  for (int i : {9, 1, 5}) {
    v1::Bucket& bucket = *histogram.add_buckets();
    bucket.set_upper_us(static_cast<std::uint64_t>(i) * 100);
    bucket.set_count(10);
  }
  EXPECT_EQ(quantile_us(histogram, 0.33), 100u);
  EXPECT_EQ(quantile_us(histogram, 0.34), 500u);
  EXPECT_EQ(quantile_us(histogram, 0.99), 900u);
  EXPECT_EQ(quantile_us(histogram, 1.0), 900u);
}

TEST(TopModel, DividesByTheIntervalAndRemembers) {
  TopModel model;
  for (int i = 0; i < 100; ++i) model.update(sample(1));
  EXPECT_DOUBLE_EQ(model.total().rate, 102);
  EXPECT_DOUBLE_EQ(model.total().failures, 2);
  EXPECT_EQ(model.total().in_flight, 7u);
  EXPECT_EQ(model.total().p99_us, 1500u);
  EXPECT_EQ(model.history().size(), TopModel::kHistory);
  EXPECT_EQ(model.backends()[0].history.size(), TopModel::kHistory);
}

TEST(TopModel, ForgetsABackendThatIsGone) {
  TopModel model;
  model.update(sample(1));
  model.update(v1::StreamStatisticsResponse());
  EXPECT_TRUE(model.backends().empty());
  model.update(sample(1));
  EXPECT_EQ(model.backends()[0].history.size(), 1u);
}

TEST(TopModel, HasServersThatNobodyUsedYetToo) {
  v1::ListServersResponse list;
  for (const char* name : {"s1", "unused"}) {
    v1::Server& server = *list.add_servers();
    server.set_backend("app");
    server.set_name(name);
    server.set_address("10.0.0.1:80");
    server.mutable_status()->set_lifecycle(v1::LIFECYCLE_READY);
  }
  TopModel model;
  model.update(sample(1));
  model.update_servers(list);
  // In whatever order they come.
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(model.backends()[0].servers.size(), 2u);
    EXPECT_EQ(model.backends()[0].servers[1].name, "unused");
    EXPECT_EQ(model.backends()[0].servers[1].lifecycle, v1::LIFECYCLE_READY);
    EXPECT_EQ(model.backends()[0].servers[1].numbers.rate, 0);
    model.update(sample(1));
  }
  model.update_servers({});
  EXPECT_EQ(model.backends()[0].servers.size(), 1u);
}

TEST(TopModel, SortsByValueThenByNumberInTheName) {
  TopModel model;
  model.update(sample(10));
  std::vector<TopServer> servers = model.backends()[0].servers;
  const auto names = [&] {
    std::vector<std::string> result;
    for (const TopServer& server : servers) result.push_back(server.name);
    return result;
  };
  sort_servers(servers, TopSort::kRate);
  EXPECT_THAT(names(), ElementsAre("s3", "s7", "s2", "s6", "s10", "s1", "s5", "s9", "s4", "s8"));
  sort_servers(servers, TopSort::kName);
  EXPECT_THAT(names(), ElementsAre("s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10"));
}

// Columns as a terminal counts them.
int width_of(const std::string& line) {
  std::string plain;
  bool escape = false;
  for (char c : line) {
    if (c == '\x1b') escape = true;
    if (!escape) plain += c;
    if (c == 'm') escape = false;
  }
  return static_cast<int>(display_width(plain));
}

TEST(TopView, FitsEveryScreen) {
  TopModel model;
  for (int i = 0; i < 70; ++i) model.update(sample(50));
  for (int width : {1, 7, 20, 80, 95, 110, 120, 140, 300}) {
    for (int height : {1, 2, 5, 6, 7, 24, 100}) {
      for (int offset : {-5, 0, 3, 1 << 30}) {
        TopState state{.offset = offset, .address = "unix:/run/x", .time = "10:00:00", .trouble = ""};
        const auto lines = render_top(model, state, {.width = width, .height = height});
        ASSERT_LE(lines.size(), static_cast<std::size_t>(height)) << width << "x" << height;
        for (const std::string& line : lines) ASSERT_LE(width_of(line), width) << line;
        ASSERT_GE(state.offset, 0);
      }
    }
  }
}

TEST(TopView, ShowsTheNumbers) {
  TopModel model;
  model.update(sample(2));
  TopState state{.address = "unix:/run/x", .time = "10:00:00", .trouble = ""};
  std::string text;
  for (const std::string& line : render_top(model, state, {.width = 140, .height = 20, .colour = false}))
    text += line + "\n";
  EXPECT_THAT(text, HasSubstr("102 requests/s"));
  EXPECT_THAT(text, HasSubstr("p99 1.5 ms"));
  EXPECT_THAT(text, HasSubstr("2/2 ready"));
  EXPECT_THAT(text, HasSubstr("  s1"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  state.servers = false;
  EXPECT_EQ(render_top_table(model, state, /*colour=*/false).find("  s1"), std::string::npos);
}

std::vector<std::string> screen_of(const TopModel& model, TopState state, int width) {
  return render_top(model, state, {.width = width, .height = 12, .colour = false});
}

TEST(TopView, ShowsWhatMattersOnANarrowScreenToo) {
  TopModel model;
  for (int i = 0; i < 70; ++i) model.update(sample(2));
  const TopState state{.address = "unix:/run/fairlead/management.sock", .time = "10:00:00", .trouble = ""};
  for (int width : {80, 100, 140}) {
    const std::vector<std::string> lines = screen_of(model, state, width);
    EXPECT_THAT(lines[0], testing::EndsWith("10:00:00")) << width;
    EXPECT_THAT(lines[1], HasSubstr("failed 2.0/s")) << width;
    EXPECT_THAT(lines[4], HasSubstr("5XX/S")) << width;
    EXPECT_THAT(lines[4], HasSubstr("FAILED/S")) << width;
    EXPECT_THAT(lines[2], HasSubstr("servers 2 ready")) << width;
    EXPECT_THAT(lines.back(), testing::EndsWith("space hold")) << width;
  }
  EXPECT_THAT(screen_of(model, state, 80)[4], Not(HasSubstr("ADDRESS")));
  EXPECT_THAT(screen_of(model, state, 140)[4], HasSubstr("ADDRESS"));
}

TEST(TopView, ShortensNamesBeforeItLosesNumbers) {
  v1::StreamStatisticsResponse message = sample(2);
  message.mutable_backends(0)->set_backend("a-backend-with-the-name-of-a-tenant-of-many-words");
  TopModel model;
  model.update(message);
  const TopState state{.address = "unix:/run/x", .time = "10:00:00", .trouble = ""};
  const std::vector<std::string> lines = screen_of(model, state, 80);
  EXPECT_THAT(lines[4], HasSubstr("FAILED/S"));
  EXPECT_THAT(lines[5], testing::StartsWith("a-backend-with-"));
  EXPECT_THAT(lines[5], HasSubstr("… "));
}

TEST(TopView, SaysThatNumbersAreOld) {
  TopModel model;
  model.update(sample(2));
  const TopState state{.address = "unix:/run/fairlead/management.sock", .time = "10:00:00", .trouble = "no data plane"};
  EXPECT_EQ(screen_of(model, state, 80)[3], "stale since 10:00:00: no data plane");
}

TEST(TopView, ShortensNumbers) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(3.14), "3.1");
  EXPECT_EQ(short_number(42.4), "42");
  EXPECT_EQ(short_number(9'999), "9999");
  EXPECT_EQ(short_number(12'345), "12.3k");
  EXPECT_EQ(short_number(123'456'789), "123M");
  EXPECT_EQ(latency_text(0), "-");
  EXPECT_EQ(latency_text(999), "999 us");
  EXPECT_EQ(latency_text(1'500), "1.5 ms");
  EXPECT_EQ(latency_text(250'000), "250 ms");
  EXPECT_EQ(latency_text(2'500'000), "2.50 s");
}

TEST(Sparkline, IsRelativeToTheGreatest) {
  EXPECT_EQ(sparkline({0, 7, 14}, 4), " ▁▅█");
  EXPECT_EQ(sparkline({1, 2, 0, 0}, 2), "▁▁");
}

}  // namespace
}  // namespace fairlead::ctl
