#include "ctl/top_view.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace fairlead::ctl {
namespace {

// Widths of screen from which a column is worth its place.
struct Detail {
  bool address = false;
  bool spark = false;
  bool queue = false;
  bool bytes = false;
};

constexpr std::size_t kSparkWidth = 16;

Detail detail_for(int width) {
  return {.address = width >= 100, .spark = width >= 90, .queue = width >= 118, .bytes = width >= 130};
}

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

Colour failure_colour(double failures) { return failures > 0 ? Colour::kRed : Colour::kNone; }

std::vector<Cell> number_cells(const TopNumbers& numbers, const Detail& detail) {
  std::vector<Cell> cells = {
      {short_number(numbers.rate)},
      {absl::StrCat(numbers.in_flight), numbers.in_flight > 0 ? Colour::kCyan : Colour::kDim},
  };
  if (detail.queue)
    cells.push_back({absl::StrCat(numbers.queued), numbers.queued > 0 ? Colour::kYellow : Colour::kDim});
  cells.push_back({latency_text(numbers.p50_us)});
  cells.push_back({latency_text(numbers.p99_us)});
  cells.push_back({short_number(numbers.failures), failure_colour(numbers.failures)});
  cells.push_back({short_number(numbers.server_errors), failure_colour(numbers.server_errors)});
  if (detail.bytes) cells.push_back({short_number(numbers.bytes)});
  return cells;
}

std::vector<Column> columns(const Detail& detail) {
  std::vector<Column> result = {{"BACKEND"}};
  if (detail.address) result.push_back({"ADDRESS"});
  result.push_back({"STATE"});
  result.push_back({"WEIGHT", true});
  if (detail.spark) result.push_back({"TREND"});
  result.push_back({"RATE/S", true});
  result.push_back({"IN FLIGHT", true});
  if (detail.queue) result.push_back({"QUEUED", true});
  for (const char* title : {"P50", "P99", "FAILED/S", "5XX/S"}) result.push_back({title, true});
  if (detail.bytes) result.push_back({"BYTES/S", true});
  return result;
}

void add_backend(Table& table, const TopBackend& backend, const Detail& detail) {
  std::vector<Cell> cells = {{backend.name, Colour::kBold}};
  if (detail.address) cells.push_back({});
  const std::string state = absl::StrCat(backend.eligible, "/", backend.servers.size(), " ready");
  const bool all = backend.eligible >= backend.servers.size();
  cells.push_back({state, backend.eligible == 0 ? Colour::kRed : all ? Colour::kGreen : Colour::kYellow});
  cells.push_back({});
  if (detail.spark) cells.push_back({sparkline(backend.history, kSparkWidth), Colour::kCyan});
  std::ranges::move(number_cells(backend.numbers, detail), std::back_inserter(cells));
  table.add(std::move(cells));
}

void add_server(Table& table, const TopServer& server, const Detail& detail) {
  std::vector<Cell> cells = {{"  " + server.name}};
  if (detail.address) cells.push_back({server.address, Colour::kDim});
  cells.push_back({lifecycle_word(server.lifecycle), lifecycle_colour(server.lifecycle)});
  cells.push_back({absl::StrCat(server.weight), server.weight == 0 ? Colour::kYellow : Colour::kNone});
  if (detail.spark) cells.push_back({});
  std::ranges::move(number_cells(server.numbers, detail), std::back_inserter(cells));
  table.add(std::move(cells));
}

const char* sort_word(TopSort sort) {
  switch (sort) {
    case TopSort::kName:
      return "name";
    case TopSort::kRate:
      return "rate";
    case TopSort::kInFlight:
      return "in flight";
    case TopSort::kLatency:
      return "latency";
    case TopSort::kErrors:
      return "errors";
  }
  return "";
}

std::vector<std::string> head_lines(const TopModel& model, const TopState& state, const TopScreen& screen) {
  const auto paint = [&](const std::string& text, Colour colour) { return coloured(text, colour, screen.colour); };
  const TopNumbers& total = model.total();
  std::string first = absl::StrCat(paint("fairlead", Colour::kBold), " ", printable(state.address), "  version ",
                                   model.version(), "  ", state.time);
  if (state.held) absl::StrAppend(&first, "  ", paint("held", Colour::kYellow));
  if (!state.trouble.empty()) absl::StrAppend(&first, "  ", paint(printable(state.trouble), Colour::kRed));
  const std::string failed = absl::StrCat("failed ", short_number(total.failures), "/s");
  const std::string second =
      absl::StrCat(paint(absl::StrCat(short_number(total.rate), " requests/s"), Colour::kBold), "  ",
                   paint(sparkline(model.history(), 30), Colour::kCyan), "  in flight ", total.in_flight, "  p50 ",
                   latency_text(total.p50_us), "  p99 ", latency_text(total.p99_us), "  ",
                   paint(failed, failure_colour(total.failures)));
  std::string third;
  for (const TopListener& listener : model.listeners()) {
    absl::StrAppend(&third, third.empty() ? "" : "   ", printable(listener.name), ": ", listener.connections,
                    " connections, +", short_number(listener.accepted), "/s");
    if (listener.refused > 0) {
      third += paint(absl::StrCat(", refused ", short_number(listener.refused), "/s"), Colour::kRed);
    }
  }
  return {first, second, paint(third, Colour::kDim), ""};
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

std::string render_top_table(const TopModel& model, const TopState& state, const TopScreen& screen) {
  const Detail detail = detail_for(screen.width);
  Table table(columns(detail));
  for (const TopBackend& backend : model.backends()) {
    add_backend(table, backend, detail);
    if (!state.servers) continue;
    std::vector<TopServer> servers = backend.servers;
    sort_servers(servers, state.sort);
    for (const TopServer& server : servers) add_server(table, server, detail);
  }
  return table.render(screen.colour);
}

std::vector<std::string> render_top(const TopModel& model, TopState& state, const TopScreen& screen) {
  std::vector<std::string> lines = head_lines(model, state, screen);
  std::vector<std::string> rows = absl::StrSplit(render_top_table(model, state, screen), '\n');
  rows.pop_back();
  lines.push_back(rows.front());
  rows.erase(rows.begin());
  const int room = std::max(0, screen.height - static_cast<int>(lines.size()) - 1);
  const int hidden = std::max(0, static_cast<int>(rows.size()) - room);
  state.offset = std::clamp(state.offset, 0, hidden);
  const int shown = std::min(room, static_cast<int>(rows.size()));
  lines.insert(lines.end(), rows.begin() + state.offset, rows.begin() + state.offset + shown);
  if (rows.empty() && room > 0) lines.push_back(model.samples() == 0 ? "waiting for the first sample" : "no backends");
  lines.resize(static_cast<std::size_t>(std::max(screen.height - 1, 0)));
  const std::string more =
      hidden > 0 ? absl::StrCat("   rows ", state.offset + 1, "-", state.offset + shown, " of ", rows.size()) : "";
  lines.push_back(coloured(absl::StrCat("q quit  sorted by ", sort_word(state.sort),
                                        ": n name r rate i in flight l latency e errors   s servers  space hold", more),
                           Colour::kDim, screen.colour));
  for (std::string& line : lines) line = cut(line, screen.width);
  return lines;
}

}  // namespace fairlead::ctl
