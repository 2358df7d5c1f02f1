#include "ctl/watch.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "api/yaml.h"
#include "ctl/resource_set.h"
#include "google/protobuf/descriptor.h"

namespace fairlead::ctl {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Local time of the day, in milliseconds: what a person compares with a clock.
std::string time_text(const google::protobuf::Timestamp& time) {
  const absl::Time value = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%H:%M:%E3S", value, absl::LocalTimeZone());
}

// "zone=a,rack=7": labels as the command line has them.
std::string labels_of(const Message& message, const FieldDescriptor& field) {
  std::vector<std::string> texts;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
    const auto& type = *entry.GetDescriptor();
    texts.push_back(absl::StrCat(entry.GetReflection()->GetString(entry, type.map_key()), "=",
                                 entry.GetReflection()->GetString(entry, type.map_value())));
  }
  std::ranges::sort(texts);
  return absl::StrJoin(texts, ",");
}

// One field's value on one line; empty where it is unset. Longer ones are not worth a line.
std::string field_text(const Message& message, const FieldDescriptor& field) {
  if (field.is_map()) return labels_of(message, field);
  std::unique_ptr<Message> alone(message.New());
  alone->CopyFrom(message);
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* other : fields) {
    if (other != &field) alone->GetReflection()->ClearField(alone.get(), other);
  }
  std::string text = api::to_yaml(*alone);
  if (text == "{}\n") return "";
  text = text.substr(field.name().size() + 1);
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipWhitespace());
  std::string joined;
  for (const std::string& line : lines)
    absl::StrAppend(&joined, joined.empty() ? "" : " ", absl::StripAsciiWhitespace(line));
  return joined;
}

const Message* message_of(const v1::Resource& resource) {
  switch (resource.kind_case()) {
    case v1::Resource::kListener:
      return &resource.listener();
    case v1::Resource::kBackend:
      return &resource.backend();
    case v1::Resource::kServer:
      return &resource.server();
    case v1::Resource::kCertificate:
      return &resource.certificate();
    default:
      return nullptr;
  }
}

// What a new resource is about.
std::string essence(const v1::Resource& resource) {
  if (resource.has_server()) {
    const std::string weight =
        resource.server().has_weight() ? absl::StrCat(" weight ", resource.server().weight()) : "";
    return absl::StrCat(" ", resource.server().address(), weight);
  }
  if (resource.has_certificate()) return " " + absl::StrJoin(resource.certificate().status().names(), " ");
  if (resource.has_listener()) {
    const auto& status = resource.listener().status();
    return " " + absl::StrJoin(status.bound_size() > 0 ? status.bound() : resource.listener().bind(), " ");
  }
  return "";
}

}  // namespace

std::string changed_fields(const Message& before, const Message& after) {
  constexpr std::size_t kValueMax = 60;
  std::vector<std::string> texts;
  const auto& type = *after.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.name() == "metadata" || field.name() == "status") continue;
    const std::string old_text = field_text(before, field);
    const std::string new_text = field_text(after, field);
    if (old_text == new_text) continue;
    if (old_text.size() > kValueMax || new_text.size() > kValueMax) {
      texts.push_back(field.name());
      continue;
    }
    texts.push_back(absl::StrCat(field.name(), " ", old_text.empty() ? "unset" : old_text, " -> ",
                                 new_text.empty() ? "unset" : new_text));
  }
  return absl::StrJoin(texts, ", ");
}

std::string WatchLines::line(const v1::WatchEventsResponse& event) {
  std::string text;
  switch (event.event_case()) {
    case v1::WatchEventsResponse::kResource:
      text = resource_line(event.resource());
      break;
    case v1::WatchEventsResponse::kServer:
      text = server_line(event.server());
      break;
    case v1::WatchEventsResponse::kBackend:
      text = backend_line(event.backend());
      break;
    case v1::WatchEventsResponse::kProcess:
      text = process_line(event.process());
      break;
    case v1::WatchEventsResponse::kSnapshotComplete:
      text = snapshot_line();
      break;
    case v1::WatchEventsResponse::kTooOld:  // the snapshot that follows says everything
    case v1::WatchEventsResponse::EVENT_NOT_SET:
      break;
  }
  if (text.empty()) return text;
  const std::string time = event.has_time() ? time_text(event.time()) : "            ";
  return absl::StrCat(coloured(time, Colour::kDim, colour_), "  ", absl::StrFormat("v%-6d", event.version()), "  ",
                      absl::StrFormat("%-12s", printable(event.actor())), "  ", text);
}

std::string WatchLines::resource_line(const v1::ResourceEvent& event) {
  const std::string title = title_of(event.resource());
  const auto before = known_.find(title);
  std::string text = printable(title);
  switch (event.change()) {
    case v1::CHANGE_PRESENT:
      known_[title] = event.resource();
      return "";
    case v1::CHANGE_CREATED:
      absl::StrAppend(&text, " ", coloured("created", Colour::kGreen, colour_), printable(essence(event.resource())));
      break;
    case v1::CHANGE_UPDATED: {
      const Message* after_message = message_of(event.resource());
      const Message* before_message = before == known_.end() ? nullptr : message_of(before->second);
      const bool both = after_message != nullptr && before_message != nullptr;
      const std::string fields = both ? changed_fields(*before_message, *after_message) : "";
      absl::StrAppend(&text, " ", coloured("updated", Colour::kYellow, colour_), fields.empty() ? "" : ": ",
                      printable(fields));
      break;
    }
    case v1::CHANGE_DELETED:
      absl::StrAppend(&text, " ", coloured("deleted", Colour::kRed, colour_));
      known_.erase(title);
      return text;
    default:
      absl::StrAppend(&text, " changed");
  }
  known_[title] = event.resource();
  return text;
}

std::string WatchLines::process_line(const v1::ProcessEvent& event) const {
  const std::string text = absl::AsciiStrToLower(
      absl::StrReplaceAll(v1::OverloadStep_Name(event.overload()), {{"OVERLOAD_STEP_", ""}, {"_", " "}}));
  const bool is_over = event.overload() == v1::OVERLOAD_STEP_NONE;
  const std::string step = is_over ? coloured("no overload", Colour::kGreen, colour_)
                                   : coloured(absl::StrCat("overload: ", text), Colour::kRed, colour_);
  return absl::StrCat("process ", step, ": ", printable(event.reason()));
}

std::string WatchLines::backend_line(const v1::BackendEvent& event) const {
  const std::string title = printable(absl::StrCat("backend ", event.backend()));
  if (event.has_discovery()) {
    const std::uint32_t servers = event.discovery().servers();
    return absl::StrCat(
        title, " ",
        coloured(absl::StrCat("discovered ", servers), servers > 0 ? Colour::kGreen : Colour::kRed, colour_), ": ",
        printable(event.discovery().resolution()));
  }
  if (event.panic()) {
    return absl::StrCat(title, " ", coloured("panic", Colour::kRed, colour_), ": all servers take requests");
  }
  if (event.on_backups()) return absl::StrCat(title, " ", coloured("on backups", Colour::kYellow, colour_));
  return absl::StrCat(title, " ", coloured("normal", Colour::kGreen, colour_), ": no panic, no backups in use");
}

std::string WatchLines::server_line(const v1::ServerEvent& event) const {
  const std::string title = printable(absl::StrCat("server ", event.server().backend(), "/", event.server().name()));
  const std::string state = coloured(lifecycle_word(event.lifecycle()), lifecycle_colour(event.lifecycle()), colour_);
  const std::string cut_off = event.cut_off() > 0 ? absl::StrCat(", ", event.cut_off(), " cut off") : "";
  if (event.has_ejection()) {
    const bool ejected = event.ejection().has_until();
    const std::string step =
        ejected ? coloured("ejected", Colour::kRed, colour_) : coloured("back", Colour::kGreen, colour_);
    return absl::StrCat(title, " ", state, ", ", step, ": ", printable(event.ejection().reason()));
  }
  if (!event.discovered_by().empty()) {
    const bool is_gone = event.lifecycle() == v1::LIFECYCLE_DRAINING;
    return absl::StrCat(title, " ", state, is_gone ? ", no longer in " : ", in ", printable(event.discovered_by()));
  }
  if (event.health() == v1::HEALTH_UNSPECIFIED) return absl::StrCat(title, " ", state, cut_off);
  const std::string health = coloured(health_word(event.health()), health_colour(event.health()), colour_);
  return absl::StrCat(title, " ", state, ", ", health, ": ", printable(event.health_reason()));
}

std::string WatchLines::snapshot_line() const {
  int listeners = 0;
  int backends = 0;
  int servers = 0;
  for (const auto& [title, resource] : known_) {
    listeners += resource.has_listener() ? 1 : 0;
    backends += resource.has_backend() ? 1 : 0;
    servers += resource.has_server() ? 1 : 0;
  }
  return absl::StrCat("present: listeners ", listeners, ", backends ", backends, ", servers ", servers);
}

namespace {

// Between two tries to reach a data plane that was there before.
constexpr std::chrono::milliseconds kRetry{500};

// Where to go on after a stream that broke.
struct WatchPosition {
  bool known = false;
  std::uint64_t epoch = 0;
  std::uint64_t version = 0;
  std::uint64_t sequence = 0;

  void fill(v1::WatchEventsRequest& request) const {
    if (!known) return;
    request.set_epoch(epoch);
    request.set_version(version);
    if (sequence > 0) request.set_sequence(sequence);
  }
  void follow(const v1::WatchEventsResponse& event) {
    if (event.has_too_old()) known = false;
    if (event.has_snapshot_complete()) {
      epoch = event.snapshot_complete().epoch();
      known = true;
    }
    if (event.sequence() == 0) return;
    version = event.version();
    sequence = event.sequence();
  }
};

bool print_event(Context& context, WatchLines& lines, const v1::WatchEventsResponse& event) {
  const std::string line = context.format == Format::kTable  ? lines.line(event)
                           : context.format == Format::kJson ? to_json(event, /*one_line=*/true)
                                                             : "---\n" + api::to_yaml(event);
  return line.empty() || static_cast<bool>(context.streams.out << line << "\n" << std::flush);
}

// Asks first whether anybody answers: a stream has no time within which something must come.
// The epoch is the present one: a version that a person knows is of this life, or the data plane says that it is not.
Result<WatchPosition> first_position(Context& context) {
  auto info = context.client.call(&Client::Management::GetInfo, v1::GetInfoRequest());
  if (!info) return std::unexpected(info.error());
  const bool since = context.arguments.has("since");
  if (!since && !context.arguments.has("no-snapshot")) return WatchPosition();
  WatchPosition position{.known = true, .epoch = info->epoch(), .version = info->version()};
  if (since && !absl::SimpleAtoi(context.arguments.value("since"), &position.version)) {
    return usage_error(absl::StrCat("--since: \"", context.arguments.value("since"), "\" is not a version"));
  }
  return position;
}

// What cannot be mended by asking again.
bool is_final(const grpc::Status& status) {
  return status.error_code() != grpc::StatusCode::UNAVAILABLE && status.error_code() != grpc::StatusCode::ABORTED &&
         status.error_code() != grpc::StatusCode::OK;
}

}  // namespace

Result<void> run_watch(Context& context) {
  Result<WatchPosition> position = first_position(context);
  if (!position) return std::unexpected(position.error());
  const bool may_begin_anew = !position->known;
  WatchLines lines(context.streams.colour);
  bool seen = false;
  bool told = false;
  while (true) {
    grpc::ClientContext call;
    v1::WatchEventsRequest request;
    request.set_snapshot(may_begin_anew || seen);
    // "From now on" is exact only without a position.
    if (seen || context.arguments.has("since")) position->fill(request);
    auto reader = context.client.observation().WatchEvents(&call, request);
    v1::WatchEventsResponse event;
    reader->WaitForInitialMetadata();
    while (reader->Read(&event)) {
      if (told) context.streams.err << "watching again\n" << std::flush;
      told = false;
      seen = true;
      if (event.has_too_old()) {
        context.streams.err << "what came in between is not known any more; this is what is there\n" << std::flush;
      }
      position->follow(event);
      // Nobody reads any more: `watch | head`.
      if (!print_event(context, lines, event)) return {};
    }
    const grpc::Status status = reader->Finish();
    if (!seen || is_final(status)) {
      if (status.ok()) return refused("the data plane ended the stream");
      return std::unexpected(context.client.failure(status));
    }
    if (!told) {
      context.streams.err << "the stream broke after version " << position->version << ": "
                          << context.client.failure(status).text << "; trying again\n"
                          << std::flush;
    }
    told = true;
    std::this_thread::sleep_for(kRetry);
  }
}

}  // namespace fairlead::ctl
