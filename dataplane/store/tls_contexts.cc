#include "store/tls_contexts.h"

#include <vector>

#include "tls/client_context.h"
#include "tls/server_context.h"

namespace fairlead::store {

std::shared_ptr<const tls::ServerContext> make_tls_context(const Model& model, const config::Listener& listener,
                                                           const config::Listener* before) {
  std::vector<std::shared_ptr<const tls::Identity>> identities;
  for (const std::string& name : listener.tls->certificates) {
    identities.push_back(model.find_certificate(name)->identity);
  }
  return tls::ServerContext::make(*listener.tls, listener.protocol == config::Protocol::kHttp, identities,
                                  before ? before->tls_context.get() : nullptr);
}

std::shared_ptr<const tls::ClientContext> make_tls_context(const Model& model, const config::Backend& backend) {
  const std::string& own = backend.tls->client_certificate;
  return tls::ClientContext::make(*backend.tls, own.empty() ? nullptr : model.find_certificate(own)->identity);
}

}  // namespace fairlead::store
