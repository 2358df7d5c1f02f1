// A doubly linked list whose links are part of its members: no allocation, removal without a search.
//
// The list does not own its members; each must leave before it dies (a linked node that is destroyed is an assertion).
// An object may be in several lists at once, one for each `Tag` it derives a node for.
#pragma once

#include <cstddef>

#include "base/check.h"

namespace fairlead::base {

template <typename Tag = void>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { FAIRLEAD_CHECK(next_ == nullptr); }

  bool is_linked() const { return next_ != nullptr; }
  // Does nothing where it is not linked.
  void unlink() {
    if (!next_) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <typename, typename>
  friend class List;
  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

// T derives from ListNode<Tag>.
template <typename T, typename Tag = void>
class List {
  using Node = ListNode<Tag>;

 public:
  List() { head_.next_ = head_.previous_ = &head_; }
  ~List() {
    FAIRLEAD_CHECK(empty());
    head_.next_ = head_.previous_ = nullptr;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return head_.next_ == &head_; }
  // (A member is unlinked before it is freed, which the analyzer does not see.)
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDelete)
  T* front() const { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  T* back() const { return empty() ? nullptr : static_cast<T*>(head_.previous_); }  // NOLINT(*NewDelete)
  void push_front(T& member) { insert_before(head_.next_, member); }
  void push_back(T& member) { insert_before(&head_, member); }
  // Before the last ones, as many as `goes_behind` says it of: a walk from the end.
  template <typename GoesBehind>
  void push_before(T& member, GoesBehind goes_behind) {
    Node* position = &head_;
    while (position->previous_ != &head_ && goes_behind(*static_cast<T*>(position->previous_))) {
      position = position->previous_;
    }
    insert_before(position, member);
  }
  T* pop_front() {
    T* first = front();
    if (first) static_cast<Node*>(first)->unlink();
    return first;
  }
  // Moves all members of `other` to the end.
  void splice_back(List& other) {
    while (T* member = other.pop_front()) push_back(*member);
  }
  // `visit` may unlink the member that it is given, and no other.
  template <typename Visit>
  void for_each(Visit visit) {
    for (Node* node = head_.next_; node != &head_;) {
      Node* next = node->next_;
      visit(*static_cast<T*>(node));
      node = next;
    }
  }

 private:
  void insert_before(Node* position, T& member) {
    Node* node = &member;
    FAIRLEAD_CHECK(!node->is_linked());
    node->previous_ = position->previous_;
    node->next_ = position;
    position->previous_->next_ = node;
    position->previous_ = node;
  }

  Node head_;
};

}  // namespace fairlead::base
