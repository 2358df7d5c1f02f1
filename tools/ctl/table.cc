#include "ctl/table.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/quoted.h"

namespace fairlead::ctl {
namespace {

// Blanks between two columns.
constexpr std::size_t kGap = 2;

const char* escape_sequence(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      return "";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kRed:
      return "\x1b[31m";
    case Colour::kCyan:
      return "\x1b[36m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kBold:
      return "\x1b[1m";
    case Colour::kReverse:
      return "\x1b[7m";
  }
  return "";
}

}  // namespace

std::string printable(const std::string& text) {
  const std::string escaped = base::quoted(text);
  // Quotes and backslashes are harmless, so a text with nothing else to escape stays as it is.
  const std::string body = escaped.substr(1, escaped.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\\' && i + 1 < body.size() && (body[i + 1] == '"' || body[i + 1] == '\\')) ++i;
    plain += body[i];
  }
  return plain;
}

std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string coloured(const std::string& text, Colour colour, bool use_colour) {
  if (!use_colour || colour == Colour::kNone) return text;
  return absl::StrCat(escape_sequence(colour), text, "\x1b[0m");
}

void Table::add(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  for (Cell& cell : cells) cell.text = printable(cell.text);
  rows_.push_back(std::move(cells));
}

void Table::drop(const std::string& title) {
  const auto found = std::ranges::find(columns_, title, &Column::title);
  if (found == columns_.end()) return;
  const auto index = found - columns_.begin();
  columns_.erase(found);
  for (auto& row : rows_) row.erase(row.begin() + index);
}

void Table::shorten(int columns) {
  constexpr int kLeast = 12;
  const int width = std::max(kLeast, static_cast<int>(widths().front()) - columns);
  const auto shortened = [width](const std::string& text) {
    if (static_cast<int>(display_width(text)) <= width) return text;
    std::string head;
    int column = 0;
    for (const char c : text) {
      const bool continuation = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
      if (!continuation && ++column == width) break;
      head += c;
    }
    return head + "…";
  };
  columns_.front().title = shortened(columns_.front().title);
  for (auto& row : rows_) row.front().text = shortened(row.front().text);
}

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  return widths;
}

std::size_t Table::width() const {
  const std::vector<std::size_t> each = widths();
  return std::accumulate(each.begin(), each.end(), kGap * (each.size() - 1));
}

std::string Table::header() const {
  std::vector<Cell> cells;
  for (const Column& column : columns_) cells.push_back({column.title, Colour::kBold});
  std::string line = render_row(cells, widths(), /*use_colour=*/false);
  line.pop_back();
  return line;
}

std::string Table::render(bool use_colour) const {
  const std::vector<std::size_t> each = widths();
  std::vector<Cell> header;
  for (const Column& column : columns_) header.push_back({column.title, Colour::kBold});
  std::string out = render_row(header, each, use_colour);
  for (const auto& row : rows_) out += render_row(row, each, use_colour);
  return out;
}

std::string Table::render_row(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths,
                              bool use_colour) const {
  std::string line;
  std::size_t blanks = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::size_t padding = widths[i] - display_width(cells[i].text);
    if (columns_[i].right) blanks += padding;
    // Blanks come out only before something: no line ends with one.
    if (!cells[i].text.empty()) {
      line.append(blanks, ' ');
      line += coloured(cells[i].text, cells[i].colour, use_colour);
      blanks = 0;
    }
    if (!columns_[i].right) blanks += padding;
    blanks += kGap;
  }
  return line + "\n";
}

}  // namespace fairlead::ctl
