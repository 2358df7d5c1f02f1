// All names that somebody wants to know, and when each is asked for: without I/O, and by whatever clock.
//
// A name is there once, however many servers have it. New ones are due at once; then an answer's TTL says when, within
// limits, and failures are tried again soon and then less and less often. What is due waits in its order, and so many
// are under way at a time. A good answer is kept through failures for a time that their kind has. One thread.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/random.h"
#include "names/answer.h"
#include "names/settings.h"
#include "runtime/time.h"

namespace fairlead::names {

class NameTable {
 public:
  NameTable(const Settings& settings, uint64_t seed) : settings_(settings), random_(seed) {}

  // Each name once; remove() only what is there. Of one that comes again nothing is known.
  void add(const std::string& name, runtime::TimePoint now);
  void remove(const std::string& name);
  bool has(const std::string& name) const { return entries_.contains(name); }
  // There was a good answer, which holds.
  bool has_addresses(const std::string& name) const;

  // The next name that is due, which is under way from now on. Nothing where none is, or enough are under way.
  std::optional<std::string> start_one(runtime::TimePoint now);
  // Ends what start_one() began. What is known now, where that has changed; nothing also for a name that was removed.
  std::optional<Fact> take(const std::string& name, const Part& answer, runtime::TimePoint now);

  // When start_one() will have something: kNever where nothing waits or an end has to come first.
  runtime::TimePoint next() const;
  size_t size() const { return entries_.size(); }
  size_t under_way() const { return under_way_.size(); }

 private:
  template <typename Item>
  struct Known {
    Item item;
    runtime::TimePoint seen;
  };
  struct Entry {
    // Of the last good answer, and those before it that are still held; in their order. A name has one or the other.
    std::vector<Known<config::Endpoint>> addresses;
    std::vector<Known<config::Service>> services;
    size_t present = 0;

    bool has_any() const { return !addresses.empty() || !services.empty(); }
    size_t left_out = 0;
    runtime::TimePoint last_good;
    // In a row.
    uint32_t failures = 0;
    // Unset while it is under way.
    std::optional<runtime::TimePoint> due;
    Fact told;
  };

  runtime::Duration jittered(runtime::Duration interval);
  runtime::Duration pause_after(uint32_t failures);
  void take_good(Entry& entry, const Part& answer, runtime::TimePoint now);
  template <typename Item>
  void take_items(std::vector<Known<Item>>& known, const std::vector<Item>& items, size_t max,
                  runtime::TimePoint now) const;
  // When the name is to be asked for again.
  runtime::TimePoint take_failure(Entry& entry, Failure failure, runtime::TimePoint now);
  void make_due(const std::string& name, Entry& entry, runtime::TimePoint when);
  Fact fact_of(const std::string& name, const Entry& entry, const Part& answer) const;

  const Settings settings_;
  base::Random random_;
  absl::flat_hash_map<std::string, Entry> entries_;
  std::set<std::pair<runtime::TimePoint, std::string>> due_;
  // Also names that were removed since: one that comes again takes the answer.
  absl::flat_hash_set<std::string> under_way_;
};

}  // namespace fairlead::names
