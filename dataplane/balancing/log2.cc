#include "balancing/log2.h"

namespace fairlead::balancing {
namespace {

std::array<double, 257> make_table() {
  std::array<double, 257> table;
  for (size_t i = 0; i < table.size(); ++i) table[i] = std::log2(static_cast<double>(i));
  return table;
}

}  // namespace

const std::array<double, 257> kLog2 = make_table();

}  // namespace fairlead::balancing
