// TLS on a non-blocking socket: the server's side, and both sides after the handshake.
#ifndef COPENSSL_SERVER_H
#define COPENSSL_SERVER_H

#include <openssl/ssl.h>
#include <openssl/x509.h>

// The layer between a TLS session and its socket. OpenSSL's own socket BIO raises SIGPIPE, cannot be given bytes that were
// received earlier, and requires a write that finds no room to be repeated with the very same bytes. This one keeps what the
// kernel does not take, so that bytes given to SSL_write are never lost.
typedef struct copenssl_transport copenssl_transport;

// A server's context without a certificate: TLS from the version `minimum` on (TLS1_2_VERSION), with forward secrecy, ALPN
// http/1.1, tickets and no session cache, no renegotiation. Below TLS 1.2 it also allows RSA key exchange and OpenSSL's
// security level 0. NULL if there is no memory.
SSL_CTX *copenssl_server_context(int minimum);

// Makes handshakes stop once, with SSL_ERROR_WANT_CLIENT_HELLO_CB, after the client's first message.
void copenssl_pause_at_client_hello(SSL_CTX *context);

// Requests a certificate of one of the authorities in the PEM file from clients; with is_required, a handshake without one
// fails. A session whose certificate has expired is not resumed. 1 if the file could be used.
int copenssl_verify_clients(SSL_CTX *context, const char *ca_file, int is_required);

// Makes every handshake a full one.
void copenssl_resume_no_session(SSL_CTX *context);

// A server session on `socket`, which the session does not close, or, if `carrier` is not NULL, inside that session, which must
// live as long. `received` are bytes read earlier; they are copied. NULL if there is no memory.
SSL *copenssl_accept_session(SSL_CTX *context, int socket, SSL *carrier, const void *received, size_t count);

// Gives a session whose handshake is over such a transport, in place of its own: 1, or 0 if there is no memory.
int copenssl_take_over_session(SSL *session, int socket);

// The transport of such a session; it lives as long as the session does.
copenssl_transport *copenssl_transport_of(SSL *session);

// Sends what the kernel did not take before: 1 if nothing is left, 0 if the socket is full, -1 on failure.
int copenssl_flush(copenssl_transport *transport);

// How many encrypted bytes wait for room in the socket.
size_t copenssl_unsent(const copenssl_transport *transport);

// Starts to record whether reads take everything that the kernel has.
void copenssl_watch_draining(copenssl_transport *transport);

// Whether the last read took everything that the kernel had; 0 if the kernel was not asked since copenssl_watch_draining. More
// bytes may have followed earlier reads; the kernel announced them then, and does not announce them again.
int copenssl_is_drained(const copenssl_transport *transport);

// Whether bytes that were read before the session existed are still unused.
int copenssl_has_received(const copenssl_transport *transport);

// The errno of the system call that failed; 0 if none did.
int copenssl_transport_error(const copenssl_transport *transport);

// Whether TCP has ended. If the session then reports an end, it ended without close_notify: OpenSSL is configured to report
// that as an end too, and stops reading after close_notify.
int copenssl_is_at_end(const copenssl_transport *transport);

// The name that the client requested (SNI), once its first message has arrived; "" for none.
const char *copenssl_server_name(const copenssl_transport *transport);

// The oldest version of TLS that the session accepts, such as TLS1_2_VERSION.
int copenssl_minimum_version(SSL *session);

// Whether the client offered protocols by ALPN, and http/1.1 was not among them.
int copenssl_lacks_http11(const copenssl_transport *transport);

// The certificate of the client's chain that made the handshake fail, to be freed with X509_free; NULL for none.
X509 *copenssl_rejected_certificate(const copenssl_transport *transport);

// A name in the form of RFC 4514, and a serial number in hexadecimal digits, to be freed with copenssl_free_text; NULL if there
// is no memory.
char *copenssl_name_text(const X509_NAME *name);
char *copenssl_serial_text(X509 *certificate);
void copenssl_free_text(char *text);

// Calls `visit` with the kind (GEN_DNS, GEN_URI, GEN_EMAIL) and the text of each alternative name of the subject.
void copenssl_alternative_names(
    X509 *certificate, void *context, void (*visit)(void *context, int kind, const char *text, int count));

#endif
