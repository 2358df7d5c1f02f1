// The ring of HASH's type RING: that of libketama (R. Jones, last.fm, 2007), so that data planes, and clients that know
// ketama, agree on a key's server.
//
// A server has 160 points for an average weight, four from each MD5 of "IDENTITY-NUMBER" (identity: hash_candidates.h),
// NUMBER from 0: the digest's bytes, four at a time, the first the lowest. As there, how many digests a server has is
// computed in single precision: floor(weight / all weights x 40 x servers). Unlike there it has one at least, and where
// all together would have more than kDigestsMax, each has its part of these. A key belongs to the first point at
// or behind the first four bytes of its own MD5, or to the first point of all.
//
// Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ref.h"
#include "config/hash_candidates.h"

namespace fairlead::config {

class HashRing : public base::RefCounted {
 public:
  struct Point {
    uint32_t position;
    Slot slot;
  };
  static constexpr uint64_t kDigestsMax = 1 << 21;

  explicit HashRing(std::span<const HashCandidate> candidates);

  bool empty() const { return points_.empty(); }
  size_t size() const { return points_.size(); }
  // The index of the point that a position belongs to. Requires that there is one.
  size_t find(uint32_t position) const;
  const Point& point(size_t index) const { return points_[index]; }

 private:
  // By position; points at the same position in the order of the candidates.
  std::vector<Point> points_;
};

}  // namespace fairlead::config
