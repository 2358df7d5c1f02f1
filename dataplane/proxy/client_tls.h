// TLS as a client's session sees it: how it begins, and what requests are held against it.
#pragma once

#include <optional>
#include <string_view>

#include "http/head.h"
#include "proxy/client.h"
#include "runtime/task.h"

namespace fairlead::proxy {

// The handshake, where the listener has TLS. False: there is nobody to serve.
runtime::Task<bool> begin_tls(Client& client);

// Where a connection goes that is passed on as it comes: reads what the client says first, which stays in its buffer.
// uid 0: where no route leads. Nothing: there is nobody to serve.
runtime::Task<std::optional<config::BackendHandle>> find_backend_by_hello(Client& client);

// The request is for another host than the one that the client named in the handshake, and the listener minds.
bool is_misdirected(const Client& client, const http::RequestHead& head);

// Takes out of the request what clients say of certificates themselves, and gives the line that tells the server the
// subject of this one's, made in `memory`; empty where there is none.
std::string_view client_certificate_line(const Client& client, http::HeaderList& headers, std::string& memory);

}  // namespace fairlead::proxy
