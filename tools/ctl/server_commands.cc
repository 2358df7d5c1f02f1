#include <chrono>
#include <thread>

#include "ctl/command.h"
#include "ctl/kinds.h"
#include "ctl/resource_verbs.h"

namespace fairlead::ctl {

std::vector<ResourceOption> ServerKind::set_options() {
  std::vector<ResourceOption> options = server_options();
  options.insert(options.begin(),
                 {{.name = "address", .value = "ADDRESS", .help = "the server's new address"}, "address"});
  return options;
}

Result<void> ServerKind::filter_from(const Arguments& arguments, ListRequest& request) {
  request.set_backend(arguments.operand(0));
  if (!arguments.has("state")) return {};
  auto lifecycles = parse_lifecycles(arguments.value("state"));
  if (!lifecycles) return std::unexpected(lifecycles.error());
  for (v1::Lifecycle lifecycle : *lifecycles) request.add_lifecycles(lifecycle);
  return {};
}

namespace {

using Clock = std::chrono::steady_clock;

// A wait without a limit of its own.
constexpr Client::Timeout kNoLimit = std::chrono::hours(24 * 365);

std::string seconds_text(Clock::duration duration) {
  const auto tenths = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count() / 100;
  return absl::StrCat(tenths / 10, ".", tenths % 10, " s");
}

bool is_drained(v1::Lifecycle lifecycle) {
  return lifecycle == v1::LIFECYCLE_DRAINED || lifecycle == v1::LIFECYCLE_MAINTENANCE;
}

// Asks again and again: the number in flight is shown on the way, and a lost answer costs nothing.
Result<void> wait_until_drained(Context& context, const v1::ServerName& name, Client::Timeout limit) {
  const std::string title = printable(absl::StrCat(name.backend(), "/", name.name()));
  v1::GetServerRequest request;
  request.set_backend(name.backend());
  request.set_name(name.name());
  const Clock::time_point start = Clock::now();
  std::uint64_t shown = ~std::uint64_t{0};
  while (true) {
    auto response = context.client.call(&Client::Management::GetServer, request);
    if (!response) return std::unexpected(response.error());
    const v1::ServerStatus& status = response->server().status();
    const Clock::duration waited = Clock::now() - start;
    if (is_drained(status.lifecycle())) {
      context.streams.err << title << ": drained after " << seconds_text(waited) << "\n";
      return {};
    }
    if (status.lifecycle() != v1::LIFECYCLE_DRAINING) {
      return refused(absl::StrCat("server ", title, " no longer drains: somebody set it to another state"));
    }
    if (waited >= limit) {
      return refused(absl::StrCat("server ", title, " still has ", status.in_flight(), " in flight after ",
                                  seconds_text(waited), "; it goes on draining"));
    }
    if (status.in_flight() != shown) {
      context.streams.err << title << ": draining, " << status.in_flight() << " in flight\n" << std::flush;
      shown = status.in_flight();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

Result<void> run_drain(Context& context) {
  auto name = parse_server_name(context.arguments.operand(0));
  if (!name) return std::unexpected(name.error());
  v1::UpdateServerRequest request;
  request.mutable_server()->set_backend(name->backend());
  request.mutable_server()->set_name(name->name());
  request.mutable_server()->set_admin_state(v1::ADMIN_STATE_DRAIN);
  request.mutable_update_mask()->add_paths("admin_state");
  auto response = context.client.call(&Client::Management::UpdateServer, request);
  if (!response) return std::unexpected(response.error());
  if (context.arguments.has("wait")) {
    const Client::Timeout limit = context.arguments.has("timeout") ? context.client.timeout() : kNoLimit;
    return wait_until_drained(context, *name, limit);
  }
  report<ServerKind>(context, *response, "drains");
  return {};
}

Result<void> run_delete(Context& context) {
  auto name = parse_server_name(context.arguments.operand(0));
  if (!name) return std::unexpected(name.error());
  v1::DeleteServerRequest request;
  request.set_backend(name->backend());
  request.set_name(name->name());
  request.set_wait(context.arguments.has("wait"));
  if (auto filled = fill_drain(context.arguments, *request.mutable_drain()); !filled) return filled;
  const bool no_limit = request.wait() && !context.arguments.has("timeout");
  auto response =
      context.client.call(&Client::Management::DeleteServer, request, no_limit ? kNoLimit : context.client.timeout());
  if (!response) return std::unexpected(response.error());
  const std::string what =
      request.wait() ? absl::StrCat("is gone, ", response->cut_off(), " cut off") : std::string("deleted");
  report_deletion<ServerKind>(context, printable(context.arguments.operand(0)), *response, what.c_str());
  return {};
}

std::vector<Option> delete_options() {
  std::vector<Option> options = drain_options();
  options.push_back({.name = "wait", .help = "until it is gone, not only until it drains"});
  return options;
}

}  // namespace

std::vector<Command> server_commands() {
  return {
      {.name = "server add",
       .operands = "BACKEND/NAME ADDRESS",
       .operands_min = 2,
       .operands_max = 2,
       .summary = "adds a server to a backend",
       .options = plain_options(server_options(), *v1::Server::descriptor()),
       .examples = {"fairleadctl server add web/s1 10.0.0.1:8080 --weight 10 --label zone=a"},
       .run = run_add<ServerKind>},
      {.name = "server set",
       .operands = "BACKEND/NAME",
       .operands_min = 1,
       .operands_max = 1,
       .summary = "changes the fields that are given",
       .details = "The value `default` puts a field back to its default; --agent-port default means no agent. After "
                  "these words --address is the server's; the "
                  "data plane's goes before them: fairleadctl --address unix:/run/other.sock server set ...",
       .options = plain_options(ServerKind::set_options(), *v1::Server::descriptor()),
       .examples = {"fairleadctl server set web/s1 --weight 20", "fairleadctl server set web/s1 --admin-state ready"},
       .run = run_set<ServerKind>},
      {.name = "server drain",
       .operands = "BACKEND/NAME",
       .operands_min = 1,
       .operands_max = 1,
       .summary = "gives it nothing new; what it has may finish",
       .details = "With --wait, --timeout limits the wait; without it there is no limit. The server stays: `server set "
                  "--admin-state ready` brings it back, `server delete` removes it.",
       .options = {{.name = "wait", .help = "until nothing is in flight"}},
       .examples = {"fairleadctl server drain web/s1 --wait --timeout 30s"},
       .run = run_drain},
      {.name = "server delete",
       .operands = "BACKEND/NAME",
       .operands_min = 1,
       .operands_max = 1,
       .summary = "removes it; what it has may finish",
       .options = delete_options(),
       .examples = {"fairleadctl server delete web/s1 --drain 30s --wait"},
       .run = run_delete},
      {.name = "server list",
       .operands = "[BACKEND]",
       .operands_max = 1,
       .summary = "shows the servers of one backend or all",
       .options = {selector_option(),
                   {.name = "state",
                    .value = "STATES",
                    .help = "only these, such as ready,draining",
                    .choices = {"pending", "ready", "draining", "drained", "maintenance"}}},
       .examples = {"fairleadctl server list web --selector zone=a --state draining"},
       .run = run_list<ServerKind>},
      {.name = "server get",
       .operands = "BACKEND/NAME",
       .operands_min = 1,
       .operands_max = 1,
       .summary = "shows one server",
       .examples = {"fairleadctl server get web/s1 -o yaml"},
       .run = run_get<ServerKind>},
  };
}

}  // namespace fairlead::ctl
