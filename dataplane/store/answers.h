// Answers to transactions that a client may send again because it did not see the first answer: each is applied once.
//
// Of named clients' calls (those with a fingerprint), the last kKeptMax in memory; what an earlier life of this process
// answered is in the journal's history (history.h). Belongs to the store's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "store/transaction.h"

namespace fairlead::store {

// Of what was sent.
std::string fingerprint_of(const v1::Transaction& message);
// For a repetition whose content differs.
Result reused_id(const Transaction& transaction, config::Version version);

class Answers {
 public:
  static constexpr size_t kKeptMax = 10'000;

  // The first answer, or a refusal where the id stood for other content; nothing for one that is new.
  std::optional<Result> find(const Transaction& transaction) const;

  // Of a batch that is not durable yet. Refused ones are not noted: they may be tried again.
  void note(const Transaction& transaction, const Result& result);
  bool has_noted() const { return !noted_.empty(); }
  void keep_noted();
  void forget_noted() { noted_.clear(); }

 private:
  // Client and id.
  using Key = std::pair<std::string, uint64_t>;
  struct Known {
    std::string fingerprint;
    Result result;
  };

  absl::flat_hash_map<Key, Known> known_;
  // Oldest first.
  std::deque<Key> order_;
  std::vector<std::pair<Key, Known>> noted_;
};

}  // namespace fairlead::store
