// Tables for people: aligned columns, numbers to the right, colour where the output is a terminal.
#pragma once

#include <string>
#include <vector>

namespace fairlead::ctl {

enum class Colour { kNone, kGreen, kYellow, kRed, kCyan, kDim, kBold, kReverse };

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
  // Takes a column out; nothing where there is none of this title.
  void drop(const std::string& title);
  // Makes the first column narrower by so much, but not narrower than a name needs.
  void shorten(int columns);
  bool empty() const { return rows_.empty(); }
  // A header and a line for each row, each ended by a line break.
  std::string render(bool use_colour) const;
  // The first of its lines, without colour and line break.
  std::string header() const;
  // Columns of a terminal that it takes.
  std::size_t width() const;

 private:
  std::vector<std::size_t> widths() const;
  std::string render_row(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths, bool use_colour) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace fairlead::ctl
