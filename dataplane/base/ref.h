// Shared ownership of immutable things by an intrusive count.
//
// For configuration records and the nodes of snapshots, which the writing half creates and any worker may be the last
// to let go of. `Ref` is one pointer; counting is atomic. Not for the path of a request: a worker takes a reference
// when it first uses a record, not for each request.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace fairlead::base {

class RefCounted {
 public:
  RefCounted() = default;
  // A copy is a new object that nobody refers to yet.
  RefCounted(const RefCounted&) noexcept {}
  RefCounted& operator=(const RefCounted&) noexcept { return *this; }

  void retain() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  // True for the last one, who must delete.
  [[nodiscard]] bool release() const noexcept { return count_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  // Nobody else refers to it, so its one owner may change it in place.
  [[nodiscard]] bool is_unique() const noexcept { return count_.load(std::memory_order_acquire) == 1; }

 protected:
  ~RefCounted() = default;

 private:
  mutable std::atomic<uint32_t> count_{0};
};

// T derives from RefCounted (publicly) and is deleted as a T.
template <typename T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  explicit Ref(T* object) : object_(object) {
    if (object_) object_->retain();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
    requires std::convertible_to<U*, T*>
  Ref(const Ref<U>& other) : Ref(other.get()) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ && object_->release()) delete object_;
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.object_ == b.object_; }

 private:
  T* object_ = nullptr;
};

template <typename T, typename... Args>
Ref<T> make_ref(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

}  // namespace fairlead::base
