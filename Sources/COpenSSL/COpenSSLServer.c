#include "COpenSSLServer.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct copenssl_transport {
  int socket;
  // The session that carries all bytes in place of the socket; NULL for none.
  SSL *carrier;
  int error;
  int is_drained;
  int is_at_end;
  int has_paused;
  int lacks_http11;
  // Read from the socket before the session existed.
  uint8_t *received;
  size_t received_start, received_end;
  // Encrypted, and not yet taken by the kernel.
  uint8_t *unsent;
  size_t unsent_start, unsent_end, unsent_capacity;
  // The certificate of the client's chain that was rejected; NULL for none.
  X509 *rejected;
  char server_name[256];
};

// Many times a record plus what a handshake or an alert may add: more is a bug.
static const size_t most_unsent = 1 << 20;

static BIO_METHOD *transport_method;
static int transport_index = -1;

static void discard(copenssl_transport *transport) {
  OPENSSL_free(transport->received);
  OPENSSL_free(transport->unsent);
  X509_free(transport->rejected);
  OPENSSL_free(transport);
}

static int keep_unsent(copenssl_transport *transport, const char *bytes, size_t count) {
  size_t waiting = transport->unsent_end - transport->unsent_start;
  if (waiting + count > most_unsent) {
    transport->error = ENOBUFS;
    return 0;
  }
  if (transport->unsent_end + count > transport->unsent_capacity) {
    if (transport->unsent_start > 0) memmove(transport->unsent, transport->unsent + transport->unsent_start, waiting);
    transport->unsent_start = 0;
    transport->unsent_end = waiting;
    if (waiting + count > transport->unsent_capacity) {
      uint8_t *larger = OPENSSL_realloc(transport->unsent, waiting + count);
      if (larger == NULL) {
        transport->error = ENOMEM;
        return 0;
      }
      transport->unsent = larger;
      transport->unsent_capacity = waiting + count;
    }
  }
  memcpy(transport->unsent + transport->unsent_end, bytes, count);
  transport->unsent_end += count;
  return 1;
}

static int is_temporary(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int copenssl_flush(copenssl_transport *transport) {
  if (transport->carrier != NULL) return copenssl_flush(copenssl_transport_of(transport->carrier));
  while (transport->unsent_start < transport->unsent_end) {
    ssize_t count = send(
        transport->socket, transport->unsent + transport->unsent_start,
        transport->unsent_end - transport->unsent_start, MSG_NOSIGNAL);
    if (count < 0) {
      if (is_temporary(errno)) return 0;
      transport->error = errno;
      return -1;
    }
    transport->unsent_start += (size_t)count;
  }
  OPENSSL_free(transport->unsent);
  transport->unsent = NULL;
  transport->unsent_start = transport->unsent_end = transport->unsent_capacity = 0;
  return 1;
}

// Translates a failure of the carrier for the session inside it.
static void note_failure(copenssl_transport *transport) {
  int error = copenssl_transport_error(copenssl_transport_of(transport->carrier));
  transport->error = error != 0 ? error : EPROTO;
}

static int carried_write(copenssl_transport *transport, const char *bytes, size_t count, size_t *written) {
  // The carrier's own transport keeps what the socket has no room for.
  if (SSL_write_ex(transport->carrier, bytes, count, written) == 1) return 1;
  note_failure(transport);
  return 0;
}

static int carried_read(BIO *bio, copenssl_transport *transport, char *bytes, size_t count, size_t *read) {
  SSL *carrier = transport->carrier;
  int result = SSL_read_ex(carrier, bytes, count, read);
  if (result == 1) return 1;
  switch (SSL_get_error(carrier, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: BIO_set_retry_read(bio); break;
    case SSL_ERROR_ZERO_RETURN: transport->is_at_end = 1; break;
    default: note_failure(transport);
  }
  return 0;
}

static int transport_write(BIO *bio, const char *bytes, size_t count, size_t *written) {
  copenssl_transport *transport = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  *written = 0;
  if (transport->carrier != NULL) return carried_write(transport, bytes, count, written);
  ssize_t sent = 0;
  // Keeps the order: bytes must not overtake those that wait.
  if (transport->unsent_end == transport->unsent_start) {
    sent = send(transport->socket, bytes, count, MSG_NOSIGNAL);
    if (sent < 0) {
      if (!is_temporary(errno)) {
        transport->error = errno;
        return 0;
      }
      sent = 0;
    }
  }
  if ((size_t)sent < count && !keep_unsent(transport, bytes + sent, count - (size_t)sent)) return 0;
  *written = count;
  return 1;
}

static int transport_read(BIO *bio, char *bytes, size_t count, size_t *read) {
  copenssl_transport *transport = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  *read = 0;
  size_t waiting = transport->received_end - transport->received_start;
  if (waiting > 0) {
    *read = waiting < count ? waiting : count;
    memcpy(bytes, transport->received + transport->received_start, *read);
    transport->received_start += *read;
    if (*read == waiting) {
      OPENSSL_free(transport->received);
      transport->received = NULL;
      transport->received_start = transport->received_end = 0;
    }
    return 1;
  }
  if (transport->carrier != NULL) return carried_read(bio, transport, bytes, count, read);
  ssize_t got = recv(transport->socket, bytes, count, 0);
  if (got > 0) {
    transport->is_drained = (size_t)got < count;
    *read = (size_t)got;
    return 1;
  }
  transport->is_drained = 1;
  if (got == 0) {
    transport->is_at_end = 1;
  } else if (is_temporary(errno)) {
    BIO_set_retry_read(bio);
  } else {
    transport->error = errno;
  }
  return 0;
}

static long transport_control(BIO *bio, int command, long number, void *pointer) {
  (void)number, (void)pointer;
  copenssl_transport *transport = BIO_get_data(bio);
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return transport->is_at_end;
    case BIO_CTRL_PENDING: return (long)(transport->received_end - transport->received_start);
    case BIO_CTRL_WPENDING: return (long)copenssl_unsent(transport);
    default: return 0;
  }
}

static int transport_free(BIO *bio) {
  copenssl_transport *transport = BIO_get_data(bio);
  if (transport != NULL) discard(transport);
  BIO_set_data(bio, NULL);
  return 1;
}

static void prepare_once(void) {
  transport_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  transport_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "m2m-proxy socket");
  if (transport_method == NULL) return;
  BIO_meth_set_write_ex(transport_method, transport_write);
  BIO_meth_set_read_ex(transport_method, transport_read);
  BIO_meth_set_ctrl(transport_method, transport_control);
  BIO_meth_set_destroy(transport_method, transport_free);
}

static int prepare(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  return pthread_once(&once, prepare_once) == 0 && transport_method != NULL && transport_index >= 0;
}

SSL *copenssl_accept_session(
    SSL_CTX *context, int socket, SSL *carrier, const void *received, size_t count) {
  if (!prepare()) return NULL;
  SSL *session = SSL_new(context);
  BIO *bio = BIO_new(transport_method);
  copenssl_transport *transport = OPENSSL_zalloc(sizeof *transport);
  if (session == NULL || bio == NULL || transport == NULL) goto failed;
  if (count > 0) {
    transport->received = OPENSSL_memdup(received, count);
    if (transport->received == NULL) goto failed;
    transport->received_end = count;
  }
  if (SSL_set_ex_data(session, transport_index, transport) != 1) goto failed;
  transport->socket = socket;
  transport->carrier = carrier;
  BIO_set_data(bio, transport);
  BIO_set_init(bio, 1);
  SSL_set_bio(session, bio, bio);
  SSL_set_accept_state(session);
  return session;
failed:
  SSL_free(session);
  BIO_free(bio);
  if (transport != NULL) discard(transport);
  return NULL;
}

int copenssl_take_over_session(SSL *session, int socket) {
  if (!prepare()) return 0;
  BIO *bio = BIO_new(transport_method);
  copenssl_transport *transport = OPENSSL_zalloc(sizeof *transport);
  if (bio == NULL || transport == NULL || SSL_set_ex_data(session, transport_index, transport) != 1) {
    BIO_free(bio);
    OPENSSL_free(transport);
    return 0;
  }
  transport->socket = socket;
  BIO_set_data(bio, transport);
  BIO_set_init(bio, 1);
  SSL_set_bio(session, bio, bio);
  // Many servers close without close_notify. That is no TLS failure here; copenssl_is_at_end tells the two apart.
  SSL_set_options(session, SSL_OP_IGNORE_UNEXPECTED_EOF);
  return 1;
}

copenssl_transport *copenssl_transport_of(SSL *session) { return SSL_get_ex_data(session, transport_index); }

size_t copenssl_unsent(const copenssl_transport *transport) {
  if (transport->carrier != NULL) return copenssl_unsent(copenssl_transport_of(transport->carrier));
  return transport->unsent_end - transport->unsent_start;
}

void copenssl_watch_draining(copenssl_transport *transport) {
  while (transport->carrier != NULL) transport = copenssl_transport_of(transport->carrier);
  transport->is_drained = 0;
}

int copenssl_is_drained(const copenssl_transport *transport) {
  SSL *carrier = transport->carrier;
  if (carrier != NULL)
    return transport->received_end == transport->received_start && SSL_has_pending(carrier) == 0 &&
           copenssl_is_drained(copenssl_transport_of(carrier));
  return transport->is_drained && transport->received_end == transport->received_start;
}

int copenssl_has_received(const copenssl_transport *transport) {
  return transport->received_end > transport->received_start;
}

int copenssl_transport_error(const copenssl_transport *transport) { return transport->error; }

int copenssl_is_at_end(const copenssl_transport *transport) { return transport->is_at_end; }

const char *copenssl_server_name(const copenssl_transport *transport) { return transport->server_name; }

int copenssl_minimum_version(SSL *session) { return (int)SSL_get_min_proto_version(session); }

int copenssl_lacks_http11(const copenssl_transport *transport) { return transport->lacks_http11; }

// The host name in the extension (RFC 6066 section 3): a list whose entries are a type, a length of two bytes and a name.
static void note_server_name(SSL *session, copenssl_transport *transport) {
  const unsigned char *extension;
  size_t count;
  if (!SSL_client_hello_get0_ext(session, TLSEXT_TYPE_server_name, &extension, &count) || count < 5) return;
  size_t length = (size_t)extension[3] << 8 | extension[4];
  if (extension[2] != TLSEXT_NAMETYPE_host_name || length > count - 5 || length >= sizeof transport->server_name) return;
  if (memchr(extension + 5, 0, length) != NULL) return;
  memcpy(transport->server_name, extension + 5, length);
  transport->server_name[length] = '\0';
}

static int pause_at_hello(SSL *session, int *alert, void *context) {
  (void)alert, (void)context;
  copenssl_transport *transport = copenssl_transport_of(session);
  if (transport == NULL || transport->has_paused) return SSL_CLIENT_HELLO_SUCCESS;
  transport->has_paused = 1;
  note_server_name(session, transport);
  return SSL_CLIENT_HELLO_RETRY;
}

void copenssl_pause_at_client_hello(SSL_CTX *context) { SSL_CTX_set_client_hello_cb(context, pause_at_hello, NULL); }

static int select_protocol(
    SSL *session, const unsigned char **chosen, unsigned char *chosen_count, const unsigned char *offered,
    unsigned int offered_count, void *context) {
  (void)context;
  static const unsigned char served[] = "\x08http/1.1\x08http/1.0";
  unsigned char *found;
  if (SSL_select_next_proto(&found, chosen_count, served, sizeof served - 1, offered, offered_count) ==
      OPENSSL_NPN_NEGOTIATED) {
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
  }
  copenssl_transport *transport = copenssl_transport_of(session);
  if (transport != NULL) transport->lacks_http11 = 1;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The cipher suites below TLS 1.3, in order of preference. The key exchange is ephemeral except in the last ones, which are
// offered only if versions before TLS 1.2 are: Java 6 and OpenSSL 0.9.8 support little else. With RSA key exchange, an attacker
// who records connections and obtains the key later can read all of them. CBC comes last, for old Java and .NET. No client
// needs the rest of OpenSSL's list (DHE, CCM, ARIA, Camellia, PSK, SRP).
static const char *const served_ciphers[] = {
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA256",     "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",     "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-SHA",        "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",        "ECDHE-RSA-AES256-SHA",
    "AES128-SHA",                    "AES256-SHA",
};
static const size_t ciphers_for_old_clients = 2;

// Offers those of them that the context has: what the machine's openssl.cnf rules out stays ruled out.
static int offer_ciphers(SSL_CTX *context, int serves_old_clients) {
  size_t count = sizeof served_ciphers / sizeof *served_ciphers - (serves_old_clients ? 0 : ciphers_for_old_clients);
  STACK_OF(SSL_CIPHER) *allowed = SSL_CTX_get_ciphers(context);
  char list[sizeof served_ciphers / sizeof *served_ciphers * 32];
  size_t length = 0;
  for (size_t served = 0; served < count; served++) {
    for (int index = 0; index < sk_SSL_CIPHER_num(allowed); index++) {
      if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(allowed, index)), served_ciphers[served]) != 0) continue;
      int written = snprintf(
          list + length, sizeof list - length, "%s%s", length > 0 ? ":" : "", served_ciphers[served]);
      if (written < 0 || (size_t)written >= sizeof list - length) return 0;
      length += (size_t)written;
    }
  }
  return length > 0 ? SSL_CTX_set_cipher_list(context, list) : SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
}

// OpenSSL calls this after it has chosen a cipher of TLS 1.3, and before it chooses one of TLS 1.2. So TLS 1.2 uses the order
// above, and TLS 1.3 the client's order, which suits the client's processor.
static int prefer_served_order(SSL *session, void *context) {
  (void)context;
  SSL_set_options(session, SSL_OP_CIPHER_SERVER_PREFERENCE);
  return 1;
}

// TLS 1.0 and 1.1 sign with MD5 and SHA-1, which OpenSSL allows only at level 0. Certificates of clients keep their level.
static void lower_security_level(SSL_CTX *context) {
  X509_VERIFY_PARAM_set_auth_level(SSL_CTX_get0_param(context), SSL_CTX_get_security_level(context));
  SSL_CTX_set_security_level(context, 0);
}

SSL_CTX *copenssl_server_context(int minimum) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (context == NULL) return NULL;
  static const unsigned char name[] = "m2m-proxy";
  int serves_old_clients = minimum < TLS1_2_VERSION;
  if (serves_old_clients) lower_security_level(context);
  if (SSL_CTX_set_min_proto_version(context, minimum) != 1 || offer_ciphers(context, serves_old_clients) != 1 ||
      SSL_CTX_set_session_id_context(context, name, sizeof name - 1) != 1) {
    SSL_CTX_free(context);
    return NULL;
  }
  // Many clients close without close_notify. That is no TLS failure here; copenssl_is_at_end tells the two apart. A client
  // whose first choice is ChaCha20 has no AES instructions.
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                   SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_cert_cb(context, prefer_served_order, NULL);
  // Sends the chain exactly as configured, instead of building and verifying one in each handshake.
  SSL_CTX_set_mode(
      context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                   SSL_MODE_NO_AUTO_CHAIN);
  // Each ticket costs a record and a packet, and a resumed connection gets another one.
  SSL_CTX_set_num_tickets(context, 1);
  // One system call reads all records that have arrived, instead of two calls for each.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
  return context;
}

// OpenSSL names the rejected certificate of the chain only during verification, not after the handshake has failed.
static int note_rejected(int is_accepted, X509_STORE_CTX *verification) {
  if (is_accepted) return 1;
  SSL *session = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());
  copenssl_transport *transport = session != NULL ? copenssl_transport_of(session) : NULL;
  X509 *certificate = X509_STORE_CTX_get_current_cert(verification);
  if (transport != NULL && certificate != NULL && X509_up_ref(certificate) == 1) {
    X509_free(transport->rejected);
    transport->rejected = certificate;
  }
  return 0;
}

// A resumed session is not verified again: if its certificate has expired meanwhile, require a full handshake.
static SSL_TICKET_RETURN resume_unexpired(
    SSL *connection, SSL_SESSION *session, const unsigned char *key_name, size_t key_name_length,
    SSL_TICKET_STATUS status, void *context) {
  (void)connection, (void)key_name, (void)key_name_length, (void)context;
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
  X509 *certificate = SSL_SESSION_get0_peer(session);
  if (certificate != NULL && X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0)
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

int copenssl_verify_clients(SSL_CTX *context, const char *ca_file, int is_required) {
  STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);
  if (names == NULL) return 0;
  // From here on the context owns the names.
  SSL_CTX_set_client_CA_list(context, names);
  if (SSL_CTX_load_verify_file(context, ca_file) != 1) return 0;
  SSL_CTX_set_verify(
      context, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), note_rejected);
  return SSL_CTX_set_session_ticket_cb(context, NULL, resume_unexpired, NULL);
}

void copenssl_resume_no_session(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
}

X509 *copenssl_rejected_certificate(const copenssl_transport *transport) {
  return transport->rejected != NULL && X509_up_ref(transport->rejected) == 1 ? transport->rejected : NULL;
}

char *copenssl_name_text(const X509_NAME *name) {
  BIO *text = BIO_new(BIO_s_mem());
  if (text == NULL) return NULL;
  char *result = NULL;
  if (X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
    char *bytes;
    long count = BIO_get_mem_data(text, &bytes);
    result = OPENSSL_strndup(bytes, (size_t)count);
  }
  BIO_free(text);
  return result;
}

char *copenssl_serial_text(X509 *certificate) {
  BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
  char *result = number != NULL ? BN_bn2hex(number) : NULL;
  BN_free(number);
  return result;
}

void copenssl_free_text(char *text) { OPENSSL_free(text); }

void copenssl_alternative_names(
    X509 *certificate, void *context, void (*visit)(void *context, int kind, const char *text, int count)) {
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    int kind;
    ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
    if (kind != GEN_DNS && kind != GEN_URI && kind != GEN_EMAIL) continue;
    visit(context, kind, (const char *)ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
  }
  GENERAL_NAMES_free(names);
}
