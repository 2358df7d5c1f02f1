// What brings a client back to its server: how a request's cookie and the stick table lead to one, and what the
// response says of it. For backends that have persistence; for all others there is an empty Persistent.
#pragma once

#include <optional>
#include <string_view>

#include "balancing/balancer.h"
#include "config/cookie_dates.h"
#include "config/snapshot.h"
#include "http/cookies.h"
#include "http/head.h"
#include "upstream/backend.h"

namespace fairlead::proxy {

// Of one request or TCP connection.
class Persistent {
 public:
  using Looking = upstream::StickTable::Looking;
  // Requires that the backend has persistence. `head`: null for a TCP connection. `second`: now, since 1970.
  // kOnlyLooks: of a request that is only thought of.
  void look_up(upstream::Backend& backend, const config::BackendSnapshot& members, const http::RequestHead* head,
               std::string_view source, runtime::TimePoint now, uint32_t second, Looking looking = Looking::kUses);
  // Where it is led to, if that server may take it; null otherwise.
  const config::Server* preferred(const config::BackendSnapshot& members) const {
    return wanted_.uid == 0 ? nullptr : members.find_kept(wanted_.slot, wanted_.uid);
  }
  // A server was picked, be it for another try. Requires that the backend has persistence.
  void picked(upstream::Backend& backend, const config::Server& server, runtime::TimePoint now);
  // Changes what a response sets, and gives the lines to be added, which are valid as long as `text` is not used again.
  // Unset where there is no room.
  std::optional<std::string_view> set_cookie(const config::Backend& settings, const config::Server& server,
                                             http::HeaderList& headers, http::CookieText& text, uint32_t second) const;

 private:
  using Target = upstream::StickTable::Target;

  void follow_cookie(const config::CookiePersistence& cookie, const config::BackendSnapshot& members,
                     const http::HeaderList& headers, uint32_t second);
  // Of this server, for a cookie's dates.
  uint32_t first_use(const config::Server& server, uint32_t second) const {
    return dates_ && cookie_of_ == server.metadata.uid ? dates_->first : second;
  }
  // The client need not be given another one.
  bool has_current_cookie(const config::CookiePersistence& cookie, const config::Server& server, uint32_t second) const;

  // Uid 0: nowhere.
  Target wanted_;
  // Whose cookie the client has.
  config::Uid cookie_of_ = 0;
  // Of that cookie.
  std::optional<config::CookieDates> dates_;
  // It brought something that once led to a server.
  bool was_led_ = false;
  // It brought a cookie that leads nowhere any more, by its dates.
  bool is_expired_ = false;
  bool is_counted_ = false;
  // For the table, and whom that has.
  balancing::Key key_;
  Target remembered_;
};

// Servers do not see what is the data plane's alone.
void hide_cookie(const config::Backend& settings, http::HeaderList& headers, http::CookieText& text);

}  // namespace fairlead::proxy
