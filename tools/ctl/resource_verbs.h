// The verbs that servers, backends and listeners have in common. `Kind` names a resource's messages, methods and texts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ctl/command.h"
#include "ctl/resource_options.h"
#include "ctl/values.h"

namespace fairlead::ctl {

template <typename Kind, typename Response>
void report(Context& context, const Response& response, const char* what) {
  const auto& resource = Kind::resource(response);
  if (print_message(context, resource)) return;
  context.streams.out << Kind::kWord << " " << printable(Kind::title(resource)) << " " << what << " (version "
                      << resource.metadata().version() << ")\n";
}

template <typename Kind>
Result<void> run_add(Context& context) {
  typename Kind::AddRequest request;
  auto& resource = *Kind::mutable_resource(request);
  if (auto named = Kind::name_from(context.arguments, resource); !named) return named;
  auto mask = fill_resource(Kind::options(), context.arguments, resource);
  if (!mask) return std::unexpected(mask.error());
  auto response = context.client.call(Kind::kAdd, request);
  if (!response) return std::unexpected(response.error());
  report<Kind>(context, *response, "added");
  return {};
}

// The request of `set`: the fields whose options were given, and the mask that names them.
template <typename Kind>
Result<typename Kind::UpdateRequest> update_request(const Arguments& arguments) {
  typename Kind::UpdateRequest request;
  auto& resource = *Kind::mutable_resource(request);
  if (auto named = Kind::name_from(arguments, resource); !named) return std::unexpected(named.error());
  auto mask = fill_resource(Kind::set_options(), arguments, resource);
  if (!mask) return std::unexpected(mask.error());
  if (mask->paths().empty()) return usage_error("nothing to set: give at least one option");
  *request.mutable_update_mask() = *std::move(mask);
  return request;
}

template <typename Kind>
Result<void> run_set(Context& context) {
  auto request = update_request<Kind>(context.arguments);
  if (!request) return std::unexpected(request.error());
  auto response = context.client.call(Kind::kUpdate, *request);
  if (!response) return std::unexpected(response.error());
  report<Kind>(context, *response, "set");
  return {};
}

template <typename Kind>
Result<void> run_get(Context& context) {
  typename Kind::GetRequest request;
  if (auto named = Kind::name_from(context.arguments, request); !named) return named;
  auto response = context.client.call(Kind::kGet, request);
  if (!response) return std::unexpected(response.error());
  const auto& resource = Kind::resource(*response);
  if (print_message(context, resource)) return {};
  context.streams.out << Kind::table({resource}).render(context.streams.colour);
  return {};
}

// All pages of a list as one answer.
template <typename Kind>
Result<typename Kind::ListResponse> list_all(Client& client, typename Kind::ListRequest request) {
  typename Kind::ListResponse all;
  request.set_page_size(1000);
  do {
    auto page = client.call(Kind::kList, request);
    if (!page) return std::unexpected(page.error());
    request.set_page_token(page->next_page_token());
    page->clear_next_page_token();
    all.MergeFrom(*page);
  } while (!request.page_token().empty());
  return all;
}

// Lists and statistics of a backend that does not exist are empty: a misspelled name must not look like a quiet one.
Result<void> backend_exists(Client& client, const std::string& name);

template <typename Kind>
Result<void> run_list(Context& context) {
  typename Kind::ListRequest request;
  auto selector = parse_labels("--selector", context.arguments.values("selector"));
  if (!selector) return std::unexpected(selector.error());
  for (const auto& [key, value] : *selector) (*request.mutable_labels())[key] = value;
  if (auto filtered = Kind::filter_from(context.arguments, request); !filtered) return filtered;
  auto all = list_all<Kind>(context.client, std::move(request));
  if (!all) return std::unexpected(all.error());
  const auto& resources = Kind::resources(*all);
  if (resources.empty() && !context.arguments.operand(0).empty()) {
    if (auto exists = backend_exists(context.client, context.arguments.operand(0)); !exists) return exists;
  }
  if (print_message(context, *all)) return {};
  context.streams.out << Kind::table({resources.begin(), resources.end()}).render(context.streams.colour);
  return {};
}

// "server web/s1 deleted (version 12)".
template <typename Kind, typename Response>
void report_deletion(Context& context, const std::string& title, const Response& response, const char* what) {
  if (print_message(context, response)) return;
  context.streams.out << Kind::kWord << " " << title
                      << (response.existed() ? absl::StrCat(" ", what, " (version ", response.version(), ")")
                                             : " was not there")
                      << "\n";
}

inline Option selector_option() {
  return {
      .name = "selector", .value = "KEY=VALUE", .help = "only those with this label; repeatable", .repeatable = true};
}

}  // namespace fairlead::ctl
