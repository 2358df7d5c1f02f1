// fairlead-balance: what a pick and a change cost by algorithm and number of servers, without a network. A line of
// JSON.
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "balance/algorithms.h"
#include "balance/measure.h"
#include "base/command_line.h"
#include "fmt/format.h"

ABSL_FLAG(std::vector<std::string>, algorithms, {}, "names; all without it");
ABSL_FLAG(std::vector<std::string>, sizes, std::vector<std::string>({"10", "1000", "100000", "1000000"}),
          "numbers of servers, 1 to 2000000");

ABSL_FLAG(uint32_t, weights, 1, "how many distinct weights servers have, 1 to 256");

namespace fairlead::balance {
namespace {

constexpr std::string_view kUsage = "fairlead-balance [--algorithms NAME,...] [--sizes N,...] [--weights N]";
constexpr uint32_t kServersMax = 2'000'000;

std::vector<uint32_t> sizes_from_flag() {
  std::vector<uint32_t> sizes;
  for (const std::string& text : absl::GetFlag(FLAGS_sizes)) {
    uint32_t size = 0;
    if (!absl::SimpleAtoi(text, &size) || size == 0 || size > kServersMax) {
      base::usage_error("--sizes", fmt::format("'{}' is not a number from 1 to {}", text, kServersMax));
    }
    sizes.push_back(size);
  }
  return sizes;
}

uint32_t weights_from_flag() {
  const uint32_t weights = absl::GetFlag(FLAGS_weights);
  if (weights == 0 || weights > config::kWeightMax) {
    base::usage_error("--weights", fmt::format("{} is not from 1 to {}", weights, config::kWeightMax));
  }
  return weights;
}

std::vector<Row> rows_from_flag() {
  const std::vector<std::string> names = absl::GetFlag(FLAGS_algorithms);
  if (names.empty()) return algorithms();
  std::vector<Row> rows;
  for (const std::string& name : names) {
    auto at = std::ranges::find(algorithms(), name, &Row::name);
    if (at == algorithms().end()) base::usage_error("--algorithms", fmt::format("'{}' is not known", name));
    rows.push_back(*at);
  }
  return rows;
}

int run() {
  const uint32_t weights = weights_from_flag();
  std::vector<std::string> picks;
  std::vector<std::string> looks;
  std::vector<std::string> changes;
  for (const Row& row : rows_from_flag()) {
    std::vector<std::string> pick_of_size;
    std::vector<std::string> look_of_size;
    std::vector<std::string> change_of_size;
    for (uint32_t size : sizes_from_flag()) {
      config::Backend settings;
      row.choose(settings);
      Backend backend(settings, size, weights);
      const PickTime time = pick_ns(backend);
      pick_of_size.push_back(fmt::format("\"{}\": {:.1f}", size, time.pick));
      if (time.look > 0) look_of_size.push_back(fmt::format("\"{}\": {:.1f}", size, time.look));
      change_of_size.push_back(fmt::format("\"{}\": {:.2f}", size, change_us(backend)));
    }
    picks.push_back(fmt::format("\"{}\": {{{}}}", row.name, absl::StrJoin(pick_of_size, ", ")));
    if (!look_of_size.empty()) {
      looks.push_back(fmt::format("\"{}\": {{{}}}", row.name, absl::StrJoin(look_of_size, ", ")));
    }
    changes.push_back(fmt::format("\"{}\": {{{}}}", row.name, absl::StrJoin(change_of_size, ", ")));
  }
  fmt::print("{{\"pick_ns\": {{{}}}, \"look_ns\": {{{}}}, \"change_us\": {{{}}}}}\n", absl::StrJoin(picks, ", "),
             absl::StrJoin(looks, ", "), absl::StrJoin(changes, ", "));
  return 0;
}

}  // namespace
}  // namespace fairlead::balance

int main(int argc, char** argv) {
  fairlead::base::parse_command_line(argc, argv, __FILE__, fairlead::balance::kUsage);
  return fairlead::balance::run();
}
