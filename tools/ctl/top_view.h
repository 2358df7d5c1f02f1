// The picture of `top` as lines for a screen of some size. Pure.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "ctl/top_model.h"

namespace fairlead::ctl {

struct TopScreen {
  int width = 80;
  int height = 24;
  bool colour = true;
};

struct TopState {
  TopSort sort = TopSort::kName;
  bool servers = true;
  bool held = false;
  // First line of the table that is shown.
  int offset = 0;
  std::string address;
  // "17:03:21".
  std::string time;
  // Why the numbers are old; empty while samples come.
  std::string trouble;
};

// "12.3k".
std::string short_number(double number);
// "850 us", "12.3 ms", "1.20 s"; "-" for zero.
std::string latency_text(std::uint64_t microseconds);
// Eight heights of a bar for each value, relative to the greatest; the newest `width` values, padded on the left.
std::string sparkline(const std::deque<double>& values, std::size_t width);

// At most `height` lines of at most `width` columns, without line breaks. Corrects an offset beyond the end.
std::vector<std::string> render_top(const TopModel& model, TopState& state, const TopScreen& screen);

// The table alone, of any length and width: what a program's pipe gets.
std::string render_top_table(const TopModel& model, const TopState& state, bool colour);

}  // namespace fairlead::ctl
