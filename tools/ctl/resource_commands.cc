// Backends and listeners.
#include "ctl/command.h"
#include "ctl/kinds.h"
#include "ctl/resource_verbs.h"

namespace fairlead::ctl {

std::vector<Option> drain_options() {
  return {{.name = "drain", .value = "TIME", .help = "how long what is in flight may go on; 0s closes it at once"},
          {.name = "jitter", .value = "TIME", .help = "spreads the closing over this much time before"}};
}

Result<void> fill_drain(const Arguments& arguments, v1::Drain& drain) {
  if (arguments.has("drain")) {
    auto timeout = parse_duration_value("--drain", arguments.value("drain"));
    if (!timeout) return std::unexpected(timeout.error());
    *drain.mutable_timeout() = *timeout;
  }
  if (arguments.has("jitter")) {
    auto jitter = parse_duration_value("--jitter", arguments.value("jitter"));
    if (!jitter) return std::unexpected(jitter.error());
    *drain.mutable_jitter() = *jitter;
  }
  return {};
}

Result<void> backend_exists(Client& client, const std::string& name) {
  v1::GetBackendRequest request;
  request.set_name(name);
  auto response = client.call(&Client::Management::GetBackend, request);
  if (!response) return std::unexpected(response.error());
  return {};
}

namespace {

Result<void> run_backend_delete(Context& context) {
  v1::DeleteBackendRequest request;
  request.set_name(context.arguments.operand(0));
  if (auto filled = fill_drain(context.arguments, *request.mutable_drain()); !filled) return filled;
  auto response = context.client.call(&Client::Management::DeleteBackend, request);
  if (!response) return std::unexpected(response.error());
  report_deletion<BackendKind>(context, printable(request.name()), *response, "deleted");
  return {};
}

// All servers of a backend in one transaction: traffic sees all of them drain, or none.
Result<void> run_backend_drain(Context& context) {
  v1::ListServersRequest listing;
  listing.set_backend(context.arguments.operand(0));
  auto all = list_all<ServerKind>(context.client, listing);
  if (!all) return std::unexpected(all.error());
  if (all->servers().empty()) {
    if (auto exists = backend_exists(context.client, listing.backend()); !exists) return exists;
  }
  v1::ApplyTransactionRequest request;
  for (const v1::Server& server : all->servers()) {
    if (server.status().has_drain_deadline()) continue;  // deleted already, and no longer there to be changed
    v1::Patch& patch = *request.mutable_transaction()->add_operations()->mutable_patch();
    v1::Server& target = *patch.mutable_resource()->mutable_server();
    target.set_backend(server.backend());
    target.set_name(server.name());
    target.set_admin_state(v1::ADMIN_STATE_DRAIN);
    patch.mutable_update_mask()->add_paths("admin_state");
  }
  auto result = apply_transaction(context, request);
  if (!result) return std::unexpected(result.error());
  if (print_message(context, *result)) return {};
  context.streams.out << "backend " << printable(listing.backend()) << ": " << request.transaction().operations_size()
                      << " servers drain (version " << result->version() << ")\n";
  return {};
}

Result<void> run_listener_delete(Context& context) {
  v1::DeleteListenerRequest request;
  request.set_name(context.arguments.operand(0));
  auto response = context.client.call(&Client::Management::DeleteListener, request);
  if (!response) return std::unexpected(response.error());
  report_deletion<ListenerKind>(context, printable(request.name()), *response, "deleted");
  return {};
}

Command named(std::string name, std::string summary, Result<void> (*run)(Context&), std::vector<Option> options,
              std::vector<std::string> examples) {
  return {.name = std::move(name),
          .operands = "NAME",
          .operands_min = 1,
          .operands_max = 1,
          .summary = std::move(summary),
          .options = std::move(options),
          .examples = std::move(examples),
          .run = run};
}

Command listing(std::string name, std::string summary, Result<void> (*run)(Context&)) {
  return {.name = name,
          .summary = std::move(summary),
          .options = {selector_option()},
          .examples = {absl::StrCat("fairleadctl ", name, " --selector zone=a -o json")},
          .run = run};
}

}  // namespace

std::vector<Command> backend_commands() {
  std::vector<Command> commands = {
      named("backend add", "adds a backend", run_add<BackendKind>,
            plain_options(backend_options(), *v1::Backend::descriptor()),
            {"fairleadctl backend add api --balance round_robin --connect-timeout 2s --default-weight 10"}),
      named("backend set", "changes the fields that are given", run_set<BackendKind>,
            plain_options(backend_options(), *v1::Backend::descriptor()),
            {"fairleadctl backend set api --retries 1 --idle-timeout default"}),
      named("backend drain", "drains all its servers", run_backend_drain, {}, {"fairleadctl backend drain api"}),
      named("backend delete", "removes it; what it has may finish", run_backend_delete, drain_options(),
            {"fairleadctl backend delete api --drain 10s"}),
      listing("backend list", "shows all backends", run_list<BackendKind>),
      named("backend get", "shows one backend", run_get<BackendKind>, {}, {"fairleadctl backend get api -o yaml"}),
  };
  commands[1].details =
      "The value `default` puts a field back to its default, and with it what cannot be without it: --cookie default "
      "means no cookie at all. An agent that is the only check goes with --check none.";
  return commands;
}

std::vector<Command> listener_commands() {
  std::vector<Command> commands = {
      named("listener add", "adds a listener", run_add<ListenerKind>,
            plain_options(listener_options(), *v1::Listener::descriptor()),
            {"fairleadctl listener add web --bind 127.0.0.1:8080 --protocol http --default-backend app",
             "fairleadctl listener add web --bind 0.0.0.0:80 --protocol http --route 'api.example.com/v1=api'"}),
      named("listener set", "changes the fields that are given", run_set<ListenerKind>,
            plain_options(listener_options(), *v1::Listener::descriptor()),
            {"fairleadctl listener set web --route '/static=files' --route 'api.example.com=api'"}),
      named("listener delete", "removes it; open connections finish", run_listener_delete, {},
            {"fairleadctl listener delete web"}),
      listing("listener list", "shows all listeners", run_list<ListenerKind>),
      named("listener get", "shows one listener", run_get<ListenerKind>, {}, {"fairleadctl listener get web -o yaml"}),
  };
  commands[1].details =
      "Lists (--bind, --route, --label) are replaced as a whole. The value `default` puts a field back to its default, "
      "and with it what cannot be without it: --proxy-from default means no PROXY header from anybody.";
  return commands;
}

}  // namespace fairlead::ctl
