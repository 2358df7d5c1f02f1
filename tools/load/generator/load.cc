#include "generator/load.h"

#include "fmt/format.h"

namespace fairlead::generator {

Job Jobs::draw(runtime::TimePoint due) {
  std::uniform_real_distribution<double> share;
  Job job{.due = due, .new_connection = share(random_) < mix_.new_connections};
  double kind = share(random_);
  if (kind < mix_.slow) {
    job.kind = Kind::kSlow;
  } else if (kind < mix_.slow + mix_.uploads) {
    job.kind = Kind::kUpload;
  }
  return job;
}

OpenLoad::OpenLoad(Clients& clients, Results& results, const Settings& settings)
    : clients_(clients),
      results_(results),
      settings_(settings),
      start_(clients.loop.now()),
      arrivals_(settings.schedule, settings.spacing, settings.seed),
      timer_(clients.loop),
      queue_(clients.loop),
      jobs_(settings.mix, settings.seed),
      scope_(clients.loop) {}

runtime::Task<void> OpenLoad::run() {
  runtime::Driver& driver = clients_.loop.driver();
  for (double at = arrivals_.next(); at < settings_.schedule.end() && !stopping_; at = arrivals_.next()) {
    auto due = start_ + std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(at));
    if (due > driver.now()) {
      net::IoResult<void> woken = co_await timer_.until(due);
      if (!woken) break;
    }
    dispatch(jobs_.draw(due));
  }
  queue_.close();
  co_await scope_.join();
}

void OpenLoad::stop() {
  stopping_ = true;
  timer_.cancel();
}

double OpenLoad::rate_now() const {
  return settings_.schedule.rate_at(std::chrono::duration<double>(clients_.loop.now() - start_).count());
}

void OpenLoad::dispatch(const Job& job) {
  results_.on_due();
  if (results_.in_flight() > settings_.in_flight_max) {
    return results_.on_refused(Failure{Cause::kOverload, fmt::format("{} in flight already", settings_.in_flight_max)});
  }
  if (job.new_connection) return scope_.spawn(serve_once(job));
  if (!queue_.has_idle_client() && keep_alive_clients_ < settings_.connections) {
    ++keep_alive_clients_;
    scope_.spawn(serve_jobs());
  }
  queue_.push(job);
}

runtime::Task<void> OpenLoad::serve_jobs() {
  Client client(clients_);
  for (;;) {
    std::optional<Job> job = co_await queue_.take();
    if (!job) co_return;
    Outcome outcome = co_await client.perform(*job);
    results_.on_done(*job, std::move(outcome), clients_.loop.driver().now());
  }
}

runtime::Task<void> OpenLoad::serve_once(Job job) {
  Client client(clients_);
  Outcome outcome = co_await client.perform(job);
  results_.on_done(job, std::move(outcome), clients_.loop.driver().now());
}

runtime::Task<void> ClosedLoad::run() {
  end_ = clients_.loop.now() + settings_.duration;
  for (size_t i = 0; i < settings_.connections; ++i) scope_.spawn(repeat());
  co_await scope_.join();
}

runtime::Task<void> ClosedLoad::repeat() {
  Client client(clients_);
  bool has_end = settings_.duration > runtime::Duration::zero();
  while (left_ > 0 && (!has_end || clients_.loop.now() < end_)) {
    --left_;
    Job job = jobs_.draw(clients_.loop.driver().now());
    results_.on_due();
    Outcome outcome = co_await client.perform(job);
    results_.on_done(job, std::move(outcome), clients_.loop.driver().now());
  }
}

}  // namespace fairlead::generator
