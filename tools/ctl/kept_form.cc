#include "ctl/kept_form.h"

#include "api/certificate.h"
#include "api/decode.h"
#include "api/encode.h"

namespace fairlead::ctl {
namespace {

template <typename Record, typename Message>
void encode_anew(const Record& record, Message& out) {
  out.Clear();
  api::encode(record, out);
}

}  // namespace

v1::Resource kept_form(const v1::Resource& resource) {
  v1::Resource kept = resource;
  switch (resource.kind_case()) {
    case v1::Resource::kListener:
      if (auto record = api::decode_listener(resource.listener())) encode_anew(**record, *kept.mutable_listener());
      break;
    case v1::Resource::kBackend:
      if (auto record = api::decode_backend(resource.backend())) encode_anew(**record, *kept.mutable_backend());
      break;
    case v1::Resource::kServer:
      if (auto draft = api::decode_server(resource.server())) {
        kept.mutable_server()->Clear();
        api::encode(*draft->record, draft->backend, *kept.mutable_server());
      }
      break;
    case v1::Resource::kCertificate:
      if (auto record = api::decode_certificate(resource.certificate())) {
        encode_anew(**record, *kept.mutable_certificate());
      }
      break;
    case v1::Resource::KIND_NOT_SET:
      break;
  }
  return kept;
}

}  // namespace fairlead::ctl
