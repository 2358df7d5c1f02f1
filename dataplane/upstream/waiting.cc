#include "upstream/waiting.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "balancing/shares.h"
#include "upstream/server.h"

namespace fairlead::upstream {

namespace {

// A server that starts slowly has so many steps on its way, so far as they are not too short or too long to be looked
// at.
constexpr int kGrowthSteps = 100;
constexpr config::Duration kGrowthStepMin = std::chrono::milliseconds(10);
constexpr config::Duration kGrowthStepMax = std::chrono::seconds(1);

}  // namespace

bool limits_move(const config::BackendSnapshot& members) {
  return members.settings->may_ramp() || !members.starting.empty();
}

Line::Line(runtime::Loop& loop, std::shared_ptr<SharedQueue> queue, config::BackendHandle backend,
           base::List<Line>& busy)
    : loop_(loop),
      queue_(std::move(queue)),
      backend_(backend),
      busy_(busy),
      seat_(std::make_shared<QueueSeat>(loop, *this)) {}

Line::~Line() {
  FAIRLEAD_CHECK(waiting_ == 0);
  growth_.cancel();
  seat_->close();
}

void Line::look_at(const config::Snapshot& snapshot) {
  const config::BackendSnapshot* members = snapshot.find(backend_);
  if (members && members->revision == std::exchange(seen_, members->revision)) return;
  if (members) {
    queue_->note_change(seat_.get());
    follow_growth(*members);
  }
  if (members && balancing::has_weight(*members)) return;
  own_.for_each([](Waiting& waiting) { waiting.wake(); });
}

void Line::take_call() {
  for (QueueEntry* entry : queue_->called(*seat_)) static_cast<Waiting*>(entry)->wake();
}

void Line::follow_growth(const config::BackendSnapshot& members) {
  if (members.starting.empty()) return;
  const config::Duration window = members.settings->slow_start.window.value_or(config::Duration::zero());
  growth_step_ = std::clamp(window / kGrowthSteps, kGrowthStepMin, kGrowthStepMax);
  grows_until_ = loop_.now() + window;
  if (!growth_.is_scheduled()) loop_.timers().schedule(growth_, loop_.now() + growth_step_);
}

void Line::take_growth() {
  queue_->note_change(seat_.get());
  if (loop_.now() < grows_until_) loop_.timers().schedule(growth_, loop_.now() + growth_step_);
}

void Line::enter(Waiting& waiting, const config::BackendSnapshot& members) {
  own_.push_back(waiting);
  if (waiting_++ > 0) return;
  seen_ = members.revision;
  follow_growth(members);
  busy_.push_back(*this);
}

void Line::leave(Waiting& waiting) {
  static_cast<base::ListNode<OwnLineTag>&>(waiting).unlink();
  if (--waiting_ > 0) return;
  growth_.cancel();
  unlink();
}

Waiting::Waiting(Line& line, runtime::Channel& client, const Terms& terms)
    : QueueEntry(line.seat_, terms.priority), line_(line), client_(client), terms_(terms) {}

Waiting::~Waiting() {
  if (is_in_) leave(false);
  alarm_.cancel();
  watcher_.unlink();
  resumer_.unlink();
}

bool Waiting::enter(const config::BackendSnapshot& members, Server* wanted) {
  const config::QueuePolicy& policy = members.settings->queue;
  const SharedQueue::Limits limits{policy.effective_max_waiting(), policy.effective_max_waiting_per_server()};
  SharedQueue::Target target;
  if (wanted) target = {wanted->record().slot, wanted->uid()};
  if (!line_.queue().enter(*this, limits, target)) return false;
  if (this->wanted() != 0) count_at(*wanted);
  is_in_ = true;
  line_.enter(*this, members);
  if (limits_move(members)) line_.queue().note_change(&line_.seat());
  client_.on_leave_wake(&watcher_, terms_.leaves_at_end_of_input);
  if (terms_.deadline != runtime::kNever) line_.loop().timers().schedule(alarm_, terms_.deadline);
  // It may be the first one.
  is_woken_ = true;
  return true;
}

void Waiting::count_at(Server& server) {
  if (counted_at_.get() == &server.load()) return;
  stop_counting();
  counted_at_ = server.keep_load();
  counted_at_->begin_to_wait();
}

void Waiting::stop_counting() {
  if (counted_at_) counted_at_->end_to_wait();
  counted_at_ = {};
}

void Waiting::want_any() {
  stop_counting();
  line_.queue().want_any(*this);
}

void Waiting::leave(bool more) {
  is_in_ = false;
  // Before the next one is called.
  stop_counting();
  client_.on_leave_wake(nullptr);
  line_.leave(*this);
  line_.queue().leave(*this, more);
}

void Waiting::wake() {
  if (std::exchange(is_woken_, true) || !handle_) return;
  line_.loop().make_ready(resumer_, runtime::Wake::kReady);
}

void Waiting::Resumer::on_wake(Waiter& waiter, runtime::Wake) {
  std::exchange(static_cast<Resumer&>(waiter).waiting.handle_, nullptr).resume();
}

}  // namespace fairlead::upstream
