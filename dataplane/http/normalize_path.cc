#include "http/normalize_path.h"

#include "http/text.h"

namespace fairlead::http {
namespace {

constexpr std::string_view kDotSegment = "path has a dot segment";
constexpr std::string_view kAboveRoot = "path leads above its root";
constexpr std::string_view kDotsAndParameter = "path has a dot segment with a parameter";
constexpr std::string_view kRepeatedSlash = "path has an empty segment";
constexpr std::string_view kEncodedSlash = "path has an encoded slash";
constexpr std::string_view kBadEscape = "path has a percent sign without two hexadecimal digits";
constexpr std::string_view kNeedlessEscape = "path has an escape that is not in its usual spelling";

constexpr bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// -1 where it is none.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = lower_case(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte that three characters "%xy" stand for, or -1.
constexpr int escaped_byte(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  const int high = hex_value(text[1]), low = hex_value(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

PathAction action_of(std::optional<PathAction> action) { return action.value_or(PathAction::kKeep); }

// Writes the path's characters one by one. Empty, or why it is refused.
std::string_view spell_escapes(std::string_view path, const PathPolicy& policy, std::string& out) {
  const PathAction slashes = action_of(policy.encoded_slashes), escapes = action_of(policy.escapes);
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  while (!path.empty()) {
    if (path[0] != '%') {
      out += path[0];
      path.remove_prefix(1);
      continue;
    }
    const int byte = escaped_byte(path);
    if (byte < 0) {
      if (escapes != PathAction::kKeep) return kBadEscape;
      out += '%';
      path.remove_prefix(1);
      continue;
    }
    const char usual[] = {'%', kDigits[static_cast<size_t>(byte) / 16], kDigits[static_cast<size_t>(byte) % 16]};
    const bool is_slash = byte == '/' || byte == '\\';
    const bool is_needless = is_unreserved(static_cast<char>(byte));
    if (is_slash && slashes == PathAction::kRefuse) return kEncodedSlash;
    if (is_slash && slashes == PathAction::kNormalize) {
      out += '/';
    } else if (escapes == PathAction::kKeep) {
      out += path.substr(0, 3);
    } else if (escapes == PathAction::kRefuse) {
      if (is_needless || path.substr(0, 3) != std::string_view(usual, 3)) return kNeedlessEscape;
      out += path.substr(0, 3);
    } else if (is_needless) {
      out += static_cast<char>(byte);
    } else {
      out.append(usual, 3);
    }
    path.remove_prefix(3);
  }
  return {};
}

// How many dots a segment begins with and what follows them; an encoded one counts.
struct Dots {
  size_t count = 0;
  std::string_view rest;
};

Dots dots_of(std::string_view segment) {
  Dots dots{.rest = segment};
  while (!dots.rest.empty()) {
    const size_t size = dots.rest[0] == '.' ? 1 : escaped_byte(dots.rest) == '.' ? 3 : 0;
    if (size == 0) break;
    dots.rest.remove_prefix(size);
    ++dots.count;
  }
  return dots;
}

bool is_parameter(std::string_view text) { return text.starts_with(';') || escaped_byte(text) == ';'; }

// Segments of `path`, in place: `written` of its bytes are the result so far, and end where a segment may begin.
class Segments {
 public:
  Segments(std::string& path, const PathPolicy& policy)
      : path_(path), dots_(action_of(policy.dot_segments)), slashes_(action_of(policy.repeated_slashes)) {}

  std::string_view run() {
    size_t at = 1;
    while (at <= path_.size()) {
      const size_t slash = path_.find('/', at);
      const bool is_last = slash == std::string::npos;
      const size_t end = is_last ? path_.size() : slash;
      if (std::string_view refusal = take(std::string_view(path_).substr(at, end - at), is_last); !refusal.empty())
        return refusal;
      at = end + 1;
    }
    path_.resize(written_);
    return {};
  }

 private:
  std::string_view take(std::string_view segment, bool is_last) {
    if (segment.empty() && !is_last) {
      if (slashes_ == PathAction::kRefuse) return kRepeatedSlash;
      if (slashes_ == PathAction::kNormalize) return {};
    }
    if (dots_ != PathAction::kKeep) {
      const Dots dots = dots_of(segment);
      const bool has_dots = dots.count == 1 || dots.count == 2;
      if (has_dots && is_parameter(dots.rest)) return kDotsAndParameter;
      if (has_dots && dots.rest.empty()) return take_dots(dots.count);
    }
    append(segment, is_last);
    return {};
  }

  std::string_view take_dots(size_t count) {
    if (dots_ == PathAction::kRefuse) return kDotSegment;
    if (count == 1) return {};
    if (written_ == 1) return kAboveRoot;
    // The last segment goes, with the slash behind it.
    written_ = path_.rfind('/', written_ - 2) + 1;
    return {};
  }

  // What is written is never ahead of what was read.
  void append(std::string_view segment, bool is_last) {
    std::char_traits<char>::move(path_.data() + written_, segment.data(), segment.size());
    written_ += segment.size();
    if (!is_last) path_[written_++] = '/';
  }

  std::string& path_;
  const PathAction dots_;
  const PathAction slashes_;
  // The first slash stands.
  size_t written_ = 1;
};

}  // namespace

NormalizedPath normalize_path(std::string_view path, const PathPolicy& policy, std::string& memory) {
  if (!path.starts_with('/')) return {path, {}};
  const bool is_plain = !path.contains('%') && !path.contains("/.") && !path.contains("//");
  if (is_plain) return {path, {}};
  memory.clear();
  if (std::string_view refusal = spell_escapes(path, policy, memory); !refusal.empty()) return {path, refusal};
  if (std::string_view refusal = Segments(memory, policy).run(); !refusal.empty()) return {path, refusal};
  return {memory, {}};
}

}  // namespace fairlead::http
