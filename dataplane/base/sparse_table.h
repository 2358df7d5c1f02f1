// Objects at small numbers (slots), of which most have none: owns them.
//
// Pages of 64 places, made when one of them is first used and gone with its last object: a look-up reads two pointers,
// and memory and a walk cost what is there, and one pointer for each 64 numbers below the greatest that was ever used.
// One thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"

namespace fairlead::base {

template <typename T>
class SparseTable {
 public:
  // Null where there is none.
  T* find(uint32_t number) const {
    size_t page = number / kPage;
    return page < pages_.size() && pages_[page] ? pages_[page]->objects[number % kPage].get() : nullptr;
  }

  // As find() reads it, soon.
  void prefetch(uint32_t number) const {
    size_t page = number / kPage;
    if (page < pages_.size() && pages_[page]) __builtin_prefetch(&pages_[page]->objects[number % kPage]);
  }

  // Requires that there is none at `number`.
  T& put(uint32_t number, std::unique_ptr<T> object) {
    size_t page = number / kPage;
    if (page >= pages_.size()) pages_.resize(std::max(page + 1, pages_.size() * 2));
    if (!pages_[page]) pages_[page] = std::make_unique<Page>();
    std::unique_ptr<T>& place = pages_[page]->objects[number % kPage];
    FAIRLEAD_CHECK(!place && object);
    ++pages_[page]->count;
    place = std::move(object);
    return *place;
  }

  // Requires that there is one.
  std::unique_ptr<T> take(uint32_t number) {
    std::unique_ptr<Page>& page = pages_[number / kPage];
    std::unique_ptr<T> object = std::move(page->objects[number % kPage]);
    FAIRLEAD_CHECK(object != nullptr);
    if (--page->count == 0) page.reset();
    return object;
  }

  // Calls f(object) in the order of numbers; f changes nothing here.
  template <typename F>
  void for_each(F&& f) const {
    for (const std::unique_ptr<Page>& page : pages_) {
      if (!page) continue;
      for (const std::unique_ptr<T>& object : page->objects) {
        if (object) f(*object);
      }
    }
  }

 private:
  static constexpr size_t kPage = 64;

  struct Page {
    std::array<std::unique_ptr<T>, kPage> objects;
    uint32_t count = 0;
  };

  std::vector<std::unique_ptr<Page>> pages_;
};

}  // namespace fairlead::base
