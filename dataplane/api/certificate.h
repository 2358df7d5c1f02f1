// Certificates between the model and the schema. Pure; any thread.
#pragma once

#include "api/failure.h"
#include "config/certificate.h"
#include "fairlead/v1/resources.pb.h"
#include "tls/identity.h"

namespace fairlead::api {

// With an identity where there is a private key.
Decoded<base::Ref<config::Certificate>> decode_certificate(const v1::Certificate& certificate);
// Gives it the key, and with that its identity.
std::optional<Failure> add_private_key(const std::string& key, config::Certificate& certificate);

}  // namespace fairlead::api
