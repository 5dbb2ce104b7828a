#include "gateway/upstream/origin.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace switchyard::upstream {

Result<Origin> make_origin(std::string_view url, const std::string& ca_file, const std::string& of,
                           int connections_max) {
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed) return fail(ErrorKind::invalid_request, "provider " + of + ": an address is no URL");
  const bool secure = parsed->scheme_id() == boost::urls::scheme::https;
  Origin origin;
  origin.host = std::string(parsed->host_address());
  origin.port = parsed->has_port() ? parsed->port_number() : static_cast<std::uint16_t>(secure ? 443 : 80);
  origin.host_field = std::string(parsed->encoded_host());
  if (parsed->has_port()) origin.host_field += ":" + std::string(parsed->port());
  origin.connections_max = connections_max;
  if (secure) {
    auto tls = make_client_tls(ca_file);
    if (!tls) return tls.error();
    origin.tls = *tls;
  }
  origin.key = std::string(parsed->scheme()) + "://" + origin.host + ":" + std::to_string(origin.port) +
               " ca=" + ca_file + " of=" + of;
  return origin;
}

std::string path_of(std::string_view url) {
  const auto parsed = boost::urls::parse_uri(url);
  return parsed ? std::string(parsed->encoded_path()) : std::string();
}

}  // namespace switchyard::upstream
