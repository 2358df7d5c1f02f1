#include "api/http_policy.h"

#include <algorithm>
#include <utility>

#include "config/text.h"

namespace fairlead::api {
namespace {

using config::concat;
using http::ForwardedFormat;
using http::PathAction;
using http::Quirk;

constexpr uint64_t kBodyMax = uint64_t{1} << 62;

std::optional<PathAction> decode_path(FieldChecker& checker, std::string_view field, v1::PathAction action) {
  switch (action) {
    case v1::PATH_ACTION_UNSPECIFIED:
      return std::nullopt;
    case v1::PATH_ACTION_KEEP:
      return PathAction::kKeep;
    case v1::PATH_ACTION_NORMALIZE:
      return PathAction::kNormalize;
    case v1::PATH_ACTION_REFUSE:
      return PathAction::kRefuse;
    default:
      checker.unknown_enum(field, action, "KEEP, NORMALIZE, REFUSE");
      return std::nullopt;
  }
}

v1::PathAction encode_path(std::optional<PathAction> action) {
  if (!action) return v1::PATH_ACTION_UNSPECIFIED;
  switch (*action) {
    case PathAction::kKeep:
      return v1::PATH_ACTION_KEEP;
    case PathAction::kNormalize:
      return v1::PATH_ACTION_NORMALIZE;
    case PathAction::kRefuse:
      return v1::PATH_ACTION_REFUSE;
  }
  return v1::PATH_ACTION_UNSPECIFIED;
}

std::optional<Quirk> decode_quirk(v1::HttpQuirk quirk) {
  switch (quirk) {
    case v1::HTTP_QUIRK_BARE_LINE_FEED:
      return Quirk::kBareLineFeed;
    case v1::HTTP_QUIRK_UNDERSCORE_NAMES:
      return Quirk::kUnderscoreNames;
    case v1::HTTP_QUIRK_EMPTY_LINES:
      return Quirk::kEmptyLines;
    default:
      return std::nullopt;
  }
}

v1::HttpQuirk encode_quirk(Quirk quirk) {
  switch (quirk) {
    case Quirk::kBareLineFeed:
      return v1::HTTP_QUIRK_BARE_LINE_FEED;
    case Quirk::kUnderscoreNames:
      return v1::HTTP_QUIRK_UNDERSCORE_NAMES;
    case Quirk::kEmptyLines:
      return v1::HTTP_QUIRK_EMPTY_LINES;
  }
  return v1::HTTP_QUIRK_UNSPECIFIED;
}

void decode_quirks(FieldChecker& checker, const v1::HttpOptions& message, config::HttpPolicy& policy) {
  for (int i = 0; i < message.quirks_size() && checker.ok(); ++i) {
    std::string field = concat("http.quirks[", i, "]");
    std::optional<Quirk> quirk = decode_quirk(message.quirks(i));
    if (!quirk) {
      checker.unknown_enum(field, message.quirks(i), "BARE_LINE_FEED, UNDERSCORE_NAMES, EMPTY_LINES");
    } else if (policy.quirks.contains(*quirk)) {
      checker.fail(field, "is there twice");
    } else {
      policy.quirk_list.push_back(*quirk);
      policy.quirks.insert(*quirk);
    }
  }
}

std::optional<ForwardedFormat> decode_format(FieldChecker& checker, v1::ForwardedFormat format) {
  switch (format) {
    case v1::FORWARDED_FORMAT_UNSPECIFIED:
      return std::nullopt;
    case v1::FORWARDED_FORMAT_X_FORWARDED:
      return ForwardedFormat::kXForwarded;
    case v1::FORWARDED_FORMAT_FORWARDED:
      return ForwardedFormat::kForwarded;
    case v1::FORWARDED_FORMAT_BOTH:
      return ForwardedFormat::kBoth;
    default:
      checker.unknown_enum("http.forwarded_format", format, "X_FORWARDED, FORWARDED, BOTH");
      return std::nullopt;
  }
}

v1::ForwardedFormat encode_format(ForwardedFormat format) {
  switch (format) {
    case ForwardedFormat::kXForwarded:
      return v1::FORWARDED_FORMAT_X_FORWARDED;
    case ForwardedFormat::kForwarded:
      return v1::FORWARDED_FORMAT_FORWARDED;
    case ForwardedFormat::kBoth:
      return v1::FORWARDED_FORMAT_BOTH;
  }
  return v1::FORWARDED_FORMAT_UNSPECIFIED;
}

config::ErrorPage decode_page(FieldChecker& checker, const v1::ErrorPage& message, const std::string& field) {
  config::ErrorPage page{.statuses = {}, .content_type = message.content_type(), .body = message.body()};
  if (message.statuses().empty()) checker.fail(field + ".statuses", "is empty; it says for which statuses the page is");
  for (int i = 0; i < message.statuses_size() && checker.ok(); ++i) {
    std::optional<uint32_t> status =
        checker.number(concat(field, ".statuses[", i, "]"), true, message.statuses(i), {400, 599});
    if (status) page.statuses.push_back(static_cast<uint16_t>(*status));
  }
  checker.check(field + ".content_type", check_content_type(page.content_type));
  if (page.body.size() > config::kErrorPageMax) {
    checker.fail(field + ".body",
                 concat("has ", page.body.size(), " bytes, at most ", config::kErrorPageMax, " are allowed"));
  }
  return page;
}

}  // namespace

config::Problem check_content_type(const std::string& value) {
  if (value.empty()) return std::nullopt;
  if (value.size() > 255) return concat("has ", value.size(), " bytes, at most 255 are allowed");
  return config::check_header("Content-Type", value);
}

config::HttpPolicy decode_http_policy(FieldChecker& checker, const v1::HttpOptions& message) {
  config::HttpPolicy policy;
  const v1::PathOptions& path = message.path();
  policy.path = {
      .dot_segments = decode_path(checker, "http.path.dot_segments", path.dot_segments()),
      .repeated_slashes = decode_path(checker, "http.path.repeated_slashes", path.repeated_slashes()),
      .encoded_slashes = decode_path(checker, "http.path.encoded_slashes", path.encoded_slashes()),
      .escapes = decode_path(checker, "http.path.escapes", path.escapes()),
  };
  decode_quirks(checker, message, policy);
  policy.forwarded_format = decode_format(checker, message.forwarded_format());
  policy.trusted_hops = checker.number("http.trusted_hops", message.has_trusted_hops(), message.trusted_hops(),
                                       {0, config::kTrustedHopsMax});
  if (message.has_max_body_bytes()) {
    checker.check("http.max_body_bytes", config::check_range(message.max_body_bytes(), {0, kBodyMax}));
    policy.max_body_bytes = message.max_body_bytes();
  }
  policy.settle();
  return policy;
}

void encode(const config::HttpPolicy& policy, v1::Listener& out) {
  if (policy == config::HttpPolicy()) return;
  v1::HttpOptions& message = *out.mutable_http();
  if (policy.path != http::PathPolicy()) {
    v1::PathOptions& path = *message.mutable_path();
    path.set_dot_segments(encode_path(policy.path.dot_segments));
    path.set_repeated_slashes(encode_path(policy.path.repeated_slashes));
    path.set_encoded_slashes(encode_path(policy.path.encoded_slashes));
    path.set_escapes(encode_path(policy.path.escapes));
  }
  for (Quirk quirk : policy.quirk_list) message.add_quirks(encode_quirk(quirk));
  if (policy.forwarded_format) message.set_forwarded_format(encode_format(*policy.forwarded_format));
  if (policy.trusted_hops) message.set_trusted_hops(*policy.trusted_hops);
  if (policy.max_body_bytes) message.set_max_body_bytes(*policy.max_body_bytes);
}

base::Ref<const config::ErrorPages> decode_error_pages(FieldChecker& checker, const v1::Listener& listener) {
  if (listener.error_pages().empty()) return nullptr;
  auto pages = base::make_ref<config::ErrorPages>();
  if (static_cast<size_t>(listener.error_pages_size()) > config::kErrorPagesMax) {
    checker.fail("error_pages", concat("has ", listener.error_pages_size(), " pages, at most ", config::kErrorPagesMax,
                                       " are allowed"));
  }
  for (int i = 0; i < listener.error_pages_size() && checker.ok(); ++i) {
    std::string field = concat("error_pages[", i, "]");
    config::ErrorPage page = decode_page(checker, listener.error_pages(i), field);
    for (size_t j = 0; j < page.statuses.size(); ++j) {
      const auto first = page.statuses.begin();
      bool is_there = pages->find(page.statuses[j]) || std::find(first, first + static_cast<ptrdiff_t>(j),
                                                                 page.statuses[j]) != first + static_cast<ptrdiff_t>(j);
      if (is_there) checker.fail(concat(field, ".statuses[", j, "]"), concat(page.statuses[j], " has a page already"));
    }
    pages->pages.push_back(std::move(page));
  }
  return pages;
}

void encode(const config::ErrorPages& pages, v1::Listener& out) {
  for (const config::ErrorPage& page : pages.pages) {
    v1::ErrorPage& message = *out.add_error_pages();
    message.mutable_statuses()->Add(page.statuses.begin(), page.statuses.end());
    message.set_content_type(page.content_type);
    message.set_body(page.body);
  }
}

}  // namespace fairlead::api
