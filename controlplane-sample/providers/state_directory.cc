#include "providers/state_directory.h"

#include <fcntl.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "providers/whole_file.h"
#include "spdlog/spdlog.h"

namespace fairlead::providers {
namespace {

namespace fs = std::filesystem;
using google::protobuf::Struct;
using google::protobuf::Value;

std::optional<Struct> parse_object(absl::string_view text) {
  Struct object;
  const auto status = google::protobuf::util::JsonStringToMessage({text.data(), text.size()}, &object);
  if (!status.ok()) return std::nullopt;
  return object;
}

std::string text_of(const Struct& object, const std::string& key) {
  const auto found = object.fields().find(key);
  return found == object.fields().end() ? "" : found->second.string_value();
}

// Numbers as texts: JSON's are doubles.
std::string to_json(const Record& record) {
  Struct object;
  (*object.mutable_fields())["pid"].set_string_value(absl::StrCat(record.process.pid));
  (*object.mutable_fields())["start"].set_string_value(absl::StrCat(record.process.start));
  (*object.mutable_fields())["address"].set_string_value(record.address);
  std::string text;
  // A Struct of texts always has a JSON form.
  (void)google::protobuf::util::MessageToJsonString(object, &text);
  return text;
}

std::optional<Record> parse_record(std::string name, absl::string_view text) {
  const std::optional<Struct> object = parse_object(text);
  Record record{.name = std::move(name), .process = {}, .address = ""};
  if (!object.has_value()) return std::nullopt;
  if (!absl::SimpleAtoi(text_of(*object, "pid"), &record.process.pid)) return std::nullopt;
  if (!absl::SimpleAtoi(text_of(*object, "start"), &record.process.start)) return std::nullopt;
  record.address = text_of(*object, "address");
  return record;
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::StatusOr<std::string> parse_ready_file(absl::string_view text) {
  const std::optional<Struct> object = parse_object(text);
  if (!object.has_value()) return absl::InvalidArgumentError("the ready file is not a JSON object");
  const auto found = object->fields().find("listen");
  if (found == object->fields().end()) return absl::InvalidArgumentError("the ready file has no \"listen\"");
  const Value& listen = found->second;
  const bool listed = listen.has_list_value() && listen.list_value().values_size() > 0;
  std::string address = listed ? listen.list_value().values(0).string_value() : listen.string_value();
  if (address.empty()) {
    return absl::InvalidArgumentError("the ready file's \"listen\" is neither \"ip:port\" nor a list of such");
  }
  return address;
}

StateDirectory::StateDirectory(std::string path, Descriptor lock)
    : path_(std::move(path)), servers_(absl::StrCat(path_, "/servers")), lock_(std::move(lock)) {}

absl::StatusOr<StateDirectory> StateDirectory::open(const std::string& path) {
  std::error_code error;
  fs::create_directories(absl::StrCat(path, "/servers"), error);
  if (error) return absl::UnavailableError(absl::StrCat("state_directory: cannot make ", path, ": ", error.message()));
  const std::string lock_path = absl::StrCat(path, "/lock");
  Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.valid()) return absl::ErrnoToStatus(errno, absl::StrCat("state_directory: cannot open ", lock_path));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("state_directory: ", path, " is in use by another fairlead-autoscaler; give each its own"));
  }
  return StateDirectory(path, std::move(lock));
}

std::vector<Record> StateDirectory::records() const {
  std::vector<Record> records;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(servers_, error)) {
    if (entry.path().extension() != ".json") continue;
    std::optional<Record> record = parse_record(entry.path().stem(), read_file(entry.path()));
    if (record.has_value()) {
      records.push_back(*std::move(record));
    } else {
      spdlog::warn("{} is not a record of a server and is left out", entry.path().string());
    }
  }
  return records;
}

absl::Status StateDirectory::write(const Record& record) const {
  return write_whole_file(absl::StrCat(servers_, "/", record.name, ".json"), to_json(record));
}

void StateDirectory::remove(const std::string& name, bool log) const {
  std::error_code ignored;
  fs::remove(absl::StrCat(servers_, "/", name, ".json"), ignored);
  fs::remove(ready_file(name), ignored);
  if (log) fs::remove(log_file(name), ignored);
}

int StateDirectory::highest_number() const {
  int number = 0;
  const std::string text = read_file(absl::StrCat(path_, "/highest"));
  return absl::SimpleAtoi(text, &number) ? number : 0;
}

absl::Status StateDirectory::write_highest_number(int number) const {
  return write_whole_file(absl::StrCat(path_, "/highest"), absl::StrCat(number, "\n"));
}

std::string StateDirectory::ready_file(const std::string& name) const {
  return absl::StrCat(servers_, "/", name, ".ready");
}

std::string StateDirectory::log_file(const std::string& name) const {
  return absl::StrCat(servers_, "/", name, ".log");
}

}  // namespace fairlead::providers
