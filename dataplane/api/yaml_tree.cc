#include "api/yaml_tree.h"

#include <algorithm>
#include <istream>
#include <streambuf>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/quoted.h"
#include "yaml-cpp/depthguard.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/parser.h"

namespace fairlead::api {
namespace {

YamlPlace place_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// yaml-cpp's way to stop a parse is an exception; these go no further than parse_events below.
[[noreturn]] void refuse(const YAML::Mark& mark, const std::string& message) {
  throw YAML::ParserException(mark, message);
}

struct LimitExceeded : YAML::ParserException {
  using ParserException::ParserException;
};

// Feeds yaml-cpp. Its scanner reads ahead without bound until it knows whether a flow collection is a key, at a hundred
// bytes and more for each token; so the feed ends where too much went in without an event coming out.
class Feed final : public std::streambuf {
 public:
  explicit Feed(absl::string_view text) : rest_(text) {}

  void on_event() { bytes_ahead_ = collections_ahead_ = 0; }
  bool stopped() const { return stopped_; }

 protected:
  int_type underflow() override {
    constexpr std::size_t kBytesAheadMax = 8 << 20;
    constexpr std::size_t kCollectionsAheadMax = 500'000;
    const absl::string_view chunk = rest_.substr(0, 4096);
    bytes_ahead_ += chunk.size();
    collections_ahead_ += static_cast<std::size_t>(std::ranges::count(chunk, '[') + std::ranges::count(chunk, '{'));
    stopped_ = stopped_ || bytes_ahead_ > kBytesAheadMax || collections_ahead_ > kCollectionsAheadMax;
    if (chunk.empty() || stopped_) return traits_type::eof();
    rest_.remove_prefix(chunk.size());
    char* begin = const_cast<char*>(chunk.data());  // a get area is never written to
    setg(begin, begin, begin + chunk.size());
    return traits_type::to_int_type(*begin);
  }

 private:
  absl::string_view rest_;
  std::size_t bytes_ahead_ = 0;
  std::size_t collections_ahead_ = 0;
  bool stopped_ = false;
};

// Builds the tree. The stack holds the lists and maps that are still open.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(YamlTree& tree, Feed& feed, const YamlLimits& limits) : tree_(tree), feed_(feed), limits_(limits) {}

  YamlPlace last_place() const { return last_place_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) refuse(mark, "a second document begins here; a file holds one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, anchor, YamlKind::kNull); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const YamlValue* target = anchor < anchors_.size() ? anchors_[anchor] : nullptr;
    if (target == nullptr) refuse(mark, "an alias of an unknown anchor");
    for (const YamlValue* open : open_) {
      if (open == target) refuse(mark, "an alias of a value that contains it");
    }
    attach(target);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    check_tag(mark, tag);
    YamlValue& value = add(mark, anchor, YamlKind::kScalar);
    value.text = text;
    value.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(mark, anchor, YamlKind::kList);
  }
  void OnSequenceEnd() override { open_.pop_back(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(mark, anchor, YamlKind::kMap);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  static void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    refuse(mark, absl::StrCat("the tag ", base::quoted_excerpt(tag), " is not known; only YAML's own are"));
  }

  YamlValue& add(const YAML::Mark& mark, YAML::anchor_t anchor, YamlKind kind) {
    if (tree_.values.size() >= limits_.values) {
      throw LimitExceeded(mark, absl::StrFormat("more than %d values; that is the limit", limits_.values));
    }
    YamlValue& value = tree_.values.emplace_back();
    value.kind = kind;
    value.place = last_place_ = place_of(mark);
    feed_.on_event();
    attach(&value);
    if (anchor != YAML::NullAnchor) {
      if (anchors_.size() <= anchor) anchors_.resize(anchor + 1);
      anchors_[anchor] = &value;
    }
    return value;
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, YamlKind kind) {
    if (open_.size() >= static_cast<std::size_t>(limits_.depth)) {
      throw LimitExceeded(mark, absl::StrFormat("nested more than %d levels deep; that is the limit", limits_.depth));
    }
    YamlValue& value = add(mark, anchor, kind);
    open_.push_back(&value);
  }

  void attach(const YamlValue* value) {
    if (open_.empty()) {
      tree_.root = value;
    } else {
      open_.back()->children.push_back(value);
    }
  }

  YamlTree& tree_;
  Feed& feed_;
  const YamlLimits& limits_;
  int documents_ = 0;
  YamlPlace last_place_;
  std::vector<YamlValue*> open_;
  std::vector<const YamlValue*> anchors_;
};

absl::Status limit_error(absl::string_view file_name, YamlPlace place, absl::string_view message) {
  return absl::ResourceExhaustedError(yaml_error(file_name, place, message).message());
}

absl::Status parse_events(std::istream& stream, absl::string_view file_name, TreeBuilder& builder) {
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (const LimitExceeded& error) {
    return limit_error(file_name, place_of(error.mark), error.msg);
  } catch (const YAML::DeepRecursion& error) {
    return limit_error(file_name, place_of(error.mark), "nested too deep");
  } catch (const YAML::Exception& error) {
    return yaml_error(file_name, place_of(error.mark), error.msg);
  }
  return absl::OkStatus();
}

YamlPlace place_at(absl::string_view text, std::size_t offset) {
  YamlPlace place;
  for (char c : text.substr(0, offset)) {
    ++place.column;
    if (c == '\n') place = {place.line + 1, 1};
  }
  return place;
}

// Characters that YAML does not allow. A text without them is also never taken for UTF-16 by yaml-cpp, which guesses.
absl::Status check_characters(absl::string_view text, absl::string_view file_name) {
  if (std::size_t bad = base::first_invalid_utf8({text.data(), text.size()}); bad != std::string_view::npos) {
    return yaml_error(file_name, place_at(text, bad), "not valid UTF-8");
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c >= 0x20 && c != 0x7f) || c == '\t' || c == '\n' || c == '\r') continue;
    return yaml_error(file_name, place_at(text, i), absl::StrFormat("a control character (0x%02x)", c));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status yaml_error(absl::string_view file_name, YamlPlace place, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(file_name, ":", place.line, ":", place.column, ": ", message));
}

absl::StatusOr<std::unique_ptr<YamlTree>> parse_yaml_tree(absl::string_view text, absl::string_view file_name,
                                                          const YamlLimits& limits) {
  if (text.size() > limits.bytes) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("%s: %d bytes are more than the limit of %d", file_name, text.size(), limits.bytes));
  }
  if (absl::Status status = check_characters(text, file_name); !status.ok()) return status;
  auto tree = std::make_unique<YamlTree>();
  Feed feed(text);
  TreeBuilder builder(*tree, feed, limits);
  std::istream stream(&feed);
  absl::Status status = parse_events(stream, file_name, builder);
  if (feed.stopped()) {
    return limit_error(file_name, builder.last_place(), "what follows is too large for one scalar or flow collection");
  }
  if (!status.ok()) return status;
  return tree;
}

}  // namespace fairlead::api
