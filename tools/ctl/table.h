// Tables for people: aligned columns, numbers to the right, colour where the output is a terminal.
#pragma once

#include <string>
#include <vector>

namespace fairlead::ctl {

enum class Colour { kNone, kGreen, kYellow, kRed, kCyan, kDim, kBold };

// What came from elsewhere, made safe and of one line for a terminal: control characters and what is not UTF-8 escaped.
std::string printable(const std::string& text);

// Columns that a terminal needs for a text without control characters; one for each character, wide ones taken as one.
std::size_t display_width(const std::string& text);

std::string coloured(const std::string& text, Colour colour, bool use_colour);

struct Cell {
  std::string text;
  Colour colour = Colour::kNone;
};

struct Column {
  std::string title;
  bool right = false;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns; texts are made printable.
  void add(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }
  // A header and a line for each row, each ended by a line break.
  std::string render(bool use_colour) const;

 private:
  std::string render_row(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths, bool use_colour) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace fairlead::ctl
