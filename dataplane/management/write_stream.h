// A stream that the data plane writes: one message at a time, the next when gRPC has taken the last. All its state
// lives on the executor's thread; gRPC's reactions hand over to it.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "config/text.h"
#include "config/validate.h"
#include "grpcpp/support/server_callback.h"
#include "management/context.h"
#include "management/status.h"
#include "management/streams.h"

namespace fairlead::management {

template <typename Response>
class WriteStream : public grpc::ServerWriteReactor<Response>,
                    public Stream,
                    public std::enable_shared_from_this<WriteStream<Response>> {
 public:
  WriteStream(std::shared_ptr<Context> context, grpc::CallbackServerContext& call)
      : Stream(call), context_(std::move(context)) {}

 protected:
  // Fills the next message; false where there is none for now (pump() is called again) or the stream is finished.
  virtual bool next(Response& response) = 0;

  // Writes what there is, unless a message is on its way.
  void pump() {
    if (writing_ || finished()) return;
    response_.Clear();
    if (!next(response_)) return;
    writing_ = true;
    write_began_ = Executor::Clock::now();
    this->StartWrite(&response_);
  }

  Context& context() { return *context_; }
  const std::shared_ptr<Context>& shared_context() const { return context_; }

 private:
  void send_end(const grpc::Status& status) final { this->Finish(status); }
  void check_silence(Executor::Clock::time_point now, std::chrono::nanoseconds silence) final {
    if (!writing_ || now < write_began_ + silence) return;
    finish({grpc::StatusCode::ABORTED,
            config::concat("this stream was not read for ", config::to_text(silence), "; it ends")});
  }
  void OnWriteDone(bool ok) override {
    post([ok](WriteStream& self) {
      self.writing_ = false;
      if (ok) self.pump();
    });
  }
  void OnCancel() override {
    post([](WriteStream& self) { self.finish(grpc::Status::CANCELLED); });
  }
  // The last reaction: the registry's reference is the last that keeps the stream.
  void OnDone() override {
    let_go();
    post([](WriteStream& self) { self.context_->streams.remove(&self); });
  }

  template <typename F>
  void post(F f) {
    context_->executor.post([self = this->shared_from_this(), f] { f(*self); });
  }

  std::shared_ptr<Context> context_;
  Response response_;
  bool writing_ = false;
  Executor::Clock::time_point write_began_;
};

}  // namespace fairlead::management
