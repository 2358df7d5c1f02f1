#include "ctl/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/quoted.h"

namespace fairlead::ctl {
namespace {

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

std::string Table::render(bool use_colour) const {
  std::vector<std::size_t> widths;
  std::vector<Cell> header;
  for (const Column& column : columns_) {
    widths.push_back(display_width(column.title));
    header.push_back({column.title, Colour::kBold});
  }
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  std::string out = render_row(header, widths, use_colour);
  for (const auto& row : rows_) out += render_row(row, widths, use_colour);
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
    blanks += 2;
  }
  return line + "\n";
}

}  // namespace fairlead::ctl
