// From the model to the schema's messages, with `metadata`; what lives (status) is the caller's to fill. Decoding what
// was encoded gives equal settings. Pure; any thread.
#pragma once

#include "config/certificate.h"
#include "config/model.h"
#include "fairlead/v1/resources.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace fairlead::api {

void encode(const config::Server& record, const std::string& backend, v1::Server& out);
void encode(const config::Backend& record, v1::Backend& out);
// With status.bound.
void encode(const config::Listener& record, v1::Listener& out);
// Never the private key. With status, but for the listeners that name it.
void encode(const config::Certificate& record, v1::Certificate& out);

v1::AdminState encode(config::AdminState state);
void encode(config::Duration duration, google::protobuf::Duration& out);
void encode(config::WallTime time, google::protobuf::Timestamp& out);

}  // namespace fairlead::api
