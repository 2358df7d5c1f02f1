// The operations of a transaction, read from the schema and checked as far as that is possible without the state.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/decode.h"
#include "api/failure.h"
#include "config/certificate.h"
#include "fairlead/v1/management.pb.h"

namespace fairlead::api {

enum class WriteMode { kUpsert, kCreate, kReplace };

struct WriteServer {
  WriteMode mode;
  ServerDraft draft;
};
struct WriteBackend {
  WriteMode mode;
  base::Ref<config::Backend> draft;
};
struct WriteCertificate {
  WriteMode mode;
  base::Ref<config::Certificate> draft;
};
struct WriteListener {
  WriteMode mode;
  base::Ref<config::Listener> draft;
};
// What it becomes depends on what is there: apply_patch() (patch.h) when its turn comes.
struct PatchResource {
  v1::Patch patch;
};
struct DeleteServer {
  std::string backend;
  std::string name;
  config::DrainPolicy drain;
};
struct DeleteBackend {
  std::string name;
  config::DrainPolicy drain;
};
struct DeleteListener {
  std::string name;
};
struct DeleteCertificate {
  std::string name;
};

using Action = std::variant<WriteServer, WriteBackend, WriteListener, WriteCertificate, PatchResource, DeleteServer,
                            DeleteBackend, DeleteListener, DeleteCertificate>;

struct Operation {
  // Position in the transaction as it was sent. A backend's shorthand `servers` have that of the backend.
  uint32_t index = 0;
  Action action;
};

// What an operation is about, however malformed it is otherwise.
struct ResourceName {
  enum class Kind : uint8_t { kListener, kBackend, kServer, kCertificate };
  Kind kind;
  // Of a server.
  std::string backend;
  std::string name;
};

// Appends what `operation` names, with a backend's shorthand servers.
void append_names(const v1::Operation& operation, std::vector<ResourceName>& out);
// What `action` names.
ResourceName name_of(const Action& action);
// "server web/s1".
std::string title_of(const ResourceName& name);

// Appends what `operation` stands for, or says why it never can be.
std::optional<Failure> decode_operation(const v1::Operation& operation, uint32_t index, std::vector<Operation>& out);

// Upserts of all resources, in an order in which what is named comes first.
std::vector<v1::Operation> upserts_of(const v1::Resources& resources);

}  // namespace fairlead::api
