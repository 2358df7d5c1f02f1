#include "ctl/top_view.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace fairlead::ctl {
namespace {

constexpr std::size_t kSparkWidth = 16;
constexpr int kAnyWidth = std::numeric_limits<int>::max();

// Columns that go, the first first, until the table fits the screen.
constexpr const char* kExtraColumns[] = {"TREND", "QUEUED", "BYTES/S", "ADDRESS", "WEIGHT", "5XX/S"};

// Text and its colours, cut to a width without cutting an escape sequence.
std::string cut(const std::string& line, int width) {
  std::string out;
  int column = 0;
  bool escape = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool continuation = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
    if (c == '\x1b') escape = true;
    if (!escape && !continuation && column++ >= width) {
      // What follows is not seen, but a colour must end.
      return out + (line.find("\x1b[0m", i) != std::string::npos ? "\x1b[0m" : "");
    }
    out += c;
    if (escape && c == 'm') escape = false;
  }
  return out;
}

// Without its escape sequences.
std::size_t visible_width(const std::string& line) {
  std::string plain;
  bool escape = false;
  for (const char c : line) {
    escape = escape || c == '\x1b';
    if (!escape) plain += c;
    escape = escape && c != 'm';
  }
  return display_width(plain);
}

Colour failure_colour(double failures) { return failures > 0 ? Colour::kRed : Colour::kDim; }

// What is nothing steps back, so that the eye finds what is something.
Cell quiet_if_zero(std::string text, bool zero, Colour colour = Colour::kNone) {
  return {std::move(text), zero ? Colour::kDim : colour};
}

void add_numbers(std::vector<Cell>& cells, const TopNumbers& numbers) {
  cells.push_back(quiet_if_zero(short_number(numbers.rate), numbers.rate == 0));
  cells.push_back(quiet_if_zero(absl::StrCat(numbers.in_flight), numbers.in_flight == 0, Colour::kCyan));
  cells.push_back(quiet_if_zero(absl::StrCat(numbers.queued), numbers.queued == 0, Colour::kYellow));
  cells.push_back(quiet_if_zero(latency_text(numbers.p50_us), numbers.p50_us == 0));
  cells.push_back(quiet_if_zero(latency_text(numbers.p99_us), numbers.p99_us == 0));
  cells.push_back({short_number(numbers.failures), failure_colour(numbers.failures)});
  cells.push_back({short_number(numbers.server_errors), failure_colour(numbers.server_errors)});
  cells.push_back(quiet_if_zero(short_number(numbers.bytes), numbers.bytes == 0));
}

std::vector<Column> all_columns() {
  return {{"BACKEND / SERVER"}, {"ADDRESS"},         {"STATE"},        {"WEIGHT", true}, {"TREND"},
          {"REQ/S", true},      {"IN FLIGHT", true}, {"QUEUED", true}, {"P50", true},    {"P99", true},
          {"FAILED/S", true},   {"5XX/S", true},     {"BYTES/S", true}};
}

void add_backend(Table& table, const TopBackend& backend) {
  const std::string state = absl::StrCat(backend.eligible, "/", backend.servers.size(), " ready");
  const bool all = backend.eligible >= backend.servers.size();
  std::vector<Cell> cells = {
      {backend.name, Colour::kBold},
      {},
      {state, backend.eligible == 0 ? Colour::kRed
              : all                 ? Colour::kGreen
                                    : Colour::kYellow},
      {},
      {sparkline(backend.history, kSparkWidth), Colour::kCyan},
  };
  add_numbers(cells, backend.numbers);
  table.add(std::move(cells));
}

// A server that its checks have found down is that, whatever it may take otherwise.
Cell state_cell(const TopServer& server) {
  if (server.lifecycle == v1::LIFECYCLE_READY && server.health == v1::HEALTH_DOWN) return {"down", Colour::kRed};
  if (server.lifecycle == v1::LIFECYCLE_READY && server.ejected) return {"ejected", Colour::kRed};
  return {lifecycle_word(server.lifecycle), lifecycle_colour(server.lifecycle)};
}

void add_server(Table& table, const TopServer& server) {
  std::vector<Cell> cells = {
      {"  " + server.name},
      {server.address, Colour::kDim},
      state_cell(server),
      {absl::StrCat(server.weight), server.weight == 0 ? Colour::kYellow : Colour::kNone},
      {},
  };
  add_numbers(cells, server.numbers);
  table.add(std::move(cells));
}

// With as many columns as the width allows.
Table fitting_table(const TopModel& model, const TopState& state, int width) {
  Table table(all_columns());
  for (const TopBackend& backend : model.backends()) {
    add_backend(table, backend);
    if (!state.servers) continue;
    std::vector<TopServer> servers = backend.servers;
    sort_servers(servers, state.sort);
    for (const TopServer& server : servers) add_server(table, server);
  }
  // A single sample has no trend.
  if (model.samples() <= 1) table.drop("TREND");
  for (const char* title : kExtraColumns) {
    if (static_cast<int>(table.width()) <= width) break;
    table.drop(title);
  }
  if (const int excess = static_cast<int>(table.width()) - width; excess > 0) table.shorten(excess);
  return table;
}

// `left`, and `right` at the screen's right edge where there is room.
std::string spread(const std::string& left, const std::string& right, int width) {
  const int blanks = width - static_cast<int>(visible_width(left) + visible_width(right));
  return blanks < 2 ? left : absl::StrCat(left, std::string(static_cast<std::size_t>(blanks), ' '), right);
}

// "3 servers ready, 1 draining".
std::string servers_text(const TopModel& model, bool colour) {
  std::map<v1::Lifecycle, int> counts;
  for (const TopBackend& backend : model.backends()) {
    for (const TopServer& server : backend.servers) ++counts[server.lifecycle];
  }
  std::vector<std::string> texts;
  for (const auto& [lifecycle, count] : counts) {
    texts.push_back(coloured(absl::StrCat(count, " ", lifecycle_word(lifecycle)), lifecycle_colour(lifecycle), colour));
  }
  return texts.empty() ? "no servers" : absl::StrCat("servers ", absl::StrJoin(texts, ", "));
}

std::string totals_text(const TopModel& model, bool colour) {
  const TopNumbers& total = model.total();
  const auto failing = [&](const char* what, double rate) {
    return coloured(absl::StrCat(what, " ", short_number(rate), "/s"), failure_colour(rate), colour);
  };
  return absl::StrCat(coloured(absl::StrCat(short_number(total.rate), " requests/s"), Colour::kBold, colour),
                      "  in flight ", total.in_flight, "  p50 ", latency_text(total.p50_us), "  p99 ",
                      latency_text(total.p99_us), "  ", failing("failed", total.failures), "  ",
                      failing("5xx", total.server_errors));
}

std::string listeners_text(const TopModel& model, bool colour) {
  std::string text;
  for (const TopListener& listener : model.listeners()) {
    absl::StrAppend(&text, text.empty() ? "listeners " : ", ", printable(listener.name), " ", listener.connections,
                    " open +", short_number(listener.accepted), "/s");
    if (listener.refused > 0) {
      text += coloured(absl::StrCat(" refused ", short_number(listener.refused), "/s"), Colour::kRed, colour);
    }
  }
  return text.empty() ? "no listeners" : text;
}

std::vector<std::string> head_lines(const TopModel& model, const TopState& state, const TopScreen& screen) {
  const auto paint = [&](const std::string& text, Colour colour) { return coloured(text, colour, screen.colour); };
  const std::string who = absl::StrCat(paint("fairlead", Colour::kBold), " ", printable(state.address));
  const std::string when = absl::StrCat("version ", model.version(), "  ", paint(state.time, Colour::kBold));
  const std::string totals = totals_text(model, screen.colour);
  const int spark_room = screen.width - static_cast<int>(visible_width(totals)) - 2;
  const std::string spark =
      spark_room < 10 ? "" : sparkline(model.history(), std::min<std::size_t>(TopModel::kHistory, spark_room));
  std::vector<std::string> lines = {
      spread(who, when, screen.width), spread(totals, paint(spark, Colour::kCyan), screen.width),
      spread(servers_text(model, screen.colour), listeners_text(model, screen.colour), screen.width)};
  // What makes the numbers old stands where it is not cut off.
  if (!state.trouble.empty()) {
    lines.push_back(paint(absl::StrCat("stale since ", state.time, ": ", printable(state.trouble)), Colour::kRed));
  } else if (state.held) {
    lines.push_back(paint("held: space goes on", Colour::kYellow));
  } else {
    lines.emplace_back();
  }
  return lines;
}

std::string key_line(const TopState& state, const TopScreen& screen) {
  static constexpr std::pair<TopSort, const char*> kSorts[] = {{TopSort::kName, "n name"},
                                                               {TopSort::kRate, "r rate"},
                                                               {TopSort::kInFlight, "i in flight"},
                                                               {TopSort::kLatency, "l latency"},
                                                               {TopSort::kErrors, "e errors"}};
  std::string text = coloured("q quit  sort", Colour::kDim, screen.colour);
  for (const auto& [sort, words] : kSorts) {
    absl::StrAppend(&text, " ", coloured(words, sort == state.sort ? Colour::kBold : Colour::kDim, screen.colour));
  }
  return text + coloured("  s servers  space hold", Colour::kDim, screen.colour);
}

}  // namespace

std::string short_number(double number) {
  if (number == 0) return "0";
  if (number < 9.95) return absl::StrFormat("%.1f", number);
  if (number < 9999.5) return absl::StrFormat("%.0f", number);
  for (const char* unit : {"k", "M", "G", "T"}) {
    number /= 1000;
    if (number < 99.95) return absl::StrFormat("%.1f%s", number, unit);
    if (number < 999.5) return absl::StrFormat("%.0f%s", number, unit);
  }
  return absl::StrFormat("%.0fP", number / 1000);
}

std::string latency_text(std::uint64_t microseconds) {
  const auto value = static_cast<double>(microseconds);
  if (microseconds == 0) return "-";
  if (microseconds < 1000) return absl::StrCat(microseconds, " us");
  if (microseconds < 1'000'000) return absl::StrFormat("%.*f ms", value < 99'950 ? 1 : 0, value / 1000);
  return absl::StrFormat("%.2f s", value / 1'000'000);
}

std::string sparkline(const std::deque<double>& values, std::size_t width) {
  static constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t count = std::min(width, values.size());
  const auto first = values.end() - static_cast<std::ptrdiff_t>(count);
  double greatest = 0;
  for (auto value = first; value != values.end(); ++value) greatest = std::max(greatest, *value);
  std::string text(width - count, ' ');
  for (auto value = first; value != values.end(); ++value) {
    const double share = greatest > 0 ? std::clamp(*value / greatest, 0.0, 1.0) : 0;
    text += kBars[static_cast<std::size_t>(std::lround(share * 7))];
  }
  return text;
}

std::string render_top_table(const TopModel& model, const TopState& state, bool colour) {
  return fitting_table(model, state, kAnyWidth).render(colour);
}

std::vector<std::string> render_top(const TopModel& model, TopState& state, const TopScreen& screen) {
  std::vector<std::string> lines = head_lines(model, state, screen);
  const Table table = fitting_table(model, state, screen.width);
  // Old numbers are grey.
  const bool colour = screen.colour && state.trouble.empty();
  std::vector<std::string> rows = absl::StrSplit(table.render(colour), '\n');
  rows.pop_back();
  rows.erase(rows.begin());
  const int room = std::max(0, screen.height - static_cast<int>(lines.size()) - 2);
  const int hidden = std::max(0, static_cast<int>(rows.size()) - room);
  state.offset = std::clamp(state.offset, 0, hidden);
  const int shown = std::min(room, static_cast<int>(rows.size()));
  const std::string place =
      hidden > 0 ? absl::StrCat("rows ", state.offset + 1, "-", state.offset + shown, " of ", rows.size()) : "";
  if (!place.empty() && lines.back().empty())
    lines.back() = spread("", coloured(place, Colour::kYellow, colour), screen.width);
  std::string header = cut(table.header(), screen.width);
  header.append(static_cast<std::size_t>(std::max(0, screen.width - static_cast<int>(visible_width(header)))), ' ');
  lines.push_back(coloured(header, Colour::kReverse, screen.colour));
  for (int i = 0; i < shown; ++i) {
    const std::string& row = rows[static_cast<std::size_t>(state.offset + i)];
    lines.push_back(colour ? row : coloured(row, Colour::kDim, screen.colour));
  }
  if (rows.empty() && room > 0) lines.push_back(model.samples() == 0 ? "waiting for the first sample" : "no backends");
  lines.resize(static_cast<std::size_t>(std::max(screen.height - 1, 0)));
  lines.push_back(key_line(state, screen));
  for (std::string& line : lines) line = cut(line, screen.width);
  return lines;
}

}  // namespace fairlead::ctl
