#include "gateway/http/server_tls.h"

#include <openssl/err.h>

namespace switchyard::http {

namespace {

// HTTP/1.1 is what is spoken here; a client that offers something else as well is told so.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  static constexpr unsigned char kProtocols[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, kProtocols, sizeof kProtocols - 1, offered, offered_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Error unusable(const std::string& what) {
  ERR_clear_error();
  return fail(ErrorKind::invalid_request, "server.tls: " + what);
}

}  // namespace

Result<io::SslContextPtr> make_server_tls(const config::Tls& tls) {
  io::SslContextPtr context(SSL_CTX_new(TLS_server_method()), io::SslContextDeleter());
  if (!context) return fail(ErrorKind::internal, "no TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_alpn_select_cb(context.get(), select_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate.c_str()) != 1) {
    return unusable("cannot read a certificate from " + tls.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), tls.private_key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return unusable("cannot read the certificate's private key from " + tls.private_key);
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return unusable("the private key does not belong to the certificate");
  }
  return context;
}

}  // namespace switchyard::http
