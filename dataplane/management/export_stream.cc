#include "management/export_stream.h"

#include "management/messages.h"

namespace fairlead::management {
namespace {

// Well below the 4 MiB that a client takes: the largest listener has a thousand routes.
constexpr size_t kPartBytes = 1 << 20;
constexpr int kPartResources = 1000;

struct Adder {
  v1::Resources& out;
  size_t operator()(std::monostate) const { return 0; }
  size_t operator()(const store::BackendView& view) const {
    v1::Backend& backend = *out.add_backends();
    encode(view, backend);
    backend.clear_status();
    return backend.ByteSizeLong();
  }
  size_t operator()(const store::ServerView& view) const {
    v1::Server& server = *out.add_servers();
    encode(view, server);
    server.clear_status();
    return server.ByteSizeLong();
  }
  size_t operator()(const store::CertificateView& view) const {
    v1::Certificate& certificate = *out.add_certificates();
    encode(view, certificate);
    certificate.clear_status();
    return certificate.ByteSizeLong();
  }
  size_t operator()(const store::ListenerView& view) const {
    v1::Listener& listener = *out.add_listeners();
    encode(view, listener);
    listener.clear_status();
    return listener.ByteSizeLong();
  }
};

}  // namespace

void ExportStream::begin() {
  auto self = std::static_pointer_cast<ExportStream>(shared_from_this());
  store::Store::Posted posted = context().store.read([self](store::Reader& reader) {
    self->context().executor.post([self, everything = reader.everything()]() mutable {
      self->cursor_.emplace(std::move(everything), false);
      self->pump();
    });
  });
  if (posted != store::Store::Posted::kYes) finish(to_status(posted));
}

bool ExportStream::next(v1::ExportConfigResponse& response) {
  if (complete_) {
    finish(grpc::Status::OK);
    return false;
  }
  response.set_epoch(context().store.epoch());
  response.set_version(cursor_->version());
  size_t bytes = 0;
  for (int count = 0; bytes < kPartBytes && count < kPartResources; ++count) {
    EverythingCursor::Item item = cursor_->next();
    complete_ = std::holds_alternative<std::monostate>(item);
    if (complete_) break;
    bytes += std::visit(Adder{*response.mutable_resources()}, item);
  }
  return true;
}

}  // namespace fairlead::management
