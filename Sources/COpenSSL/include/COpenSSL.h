// OpenSSL's headers, and functions in place of the macros that Swift cannot import.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Allows a retried write to use another address, and a write to succeed partially.
void copenssl_allow_moving_writes(SSL_CTX *context);

// Allows one system call to read all TLS records that have arrived.
void copenssl_read_ahead(SSL_CTX *context);

// Puts AES-128-GCM before the other cipher suites of TLS 1.3, if the context offers it, as browsers and Go do. Servers that
// leave the choice to the client would otherwise encrypt with AES-256, which costs a quarter more.
void copenssl_prefer_aes_128(SSL_CTX *context);

// Makes a client reject a server's certificate that has neither a host name nor an IP address as subject alternative name, with
// the result X509_V_ERR_HOSTNAME_MISMATCH. libcurl would fall back to the common name, which RFC 9525 section 2 rules out.
void copenssl_require_alternative_names(SSL_CTX *context);

// How a handshake as a client has ended, if it has failed.
enum {
  // None has begun, or none has failed.
  COPENSSL_HANDSHAKE_NONE,
  // It goes on, or has failed without a word of OpenSSL's.
  COPENSSL_HANDSHAKE_OPEN,
  // The connection has ended.
  COPENSSL_HANDSHAKE_LOST,
  // OpenSSL has named what is wrong: with the certificate, with what the server sent, or with what it offers.
  COPENSSL_HANDSHAKE_REFUSED,
};

// What is noted of the sessions of a context.
typedef struct {
  // The alert with which the other end reports a failure; -1 for none.
  int alert;
  int handshake;
  // Whether something that comes after the handshake was read with it.
  int has_early_bytes;
} copenssl_notes;

// Has notes taken of the sessions of `context`, which must live as long as these; 1 unless there is no memory. After the handshake
// it costs nothing.
int copenssl_take_notes(SSL_CTX *context, copenssl_notes *notes);

// The first private key in `pem`; NULL if there is none, or if it is encrypted, which sets `is_encrypted`.
EVP_PKEY *copenssl_read_private_key(const void *pem, int count, int *is_encrypted);

// The next certificate of `pem`; NULL when there is none.
X509 *copenssl_read_certificate(BIO *pem);

// The next revocation list of `pem`; NULL if there is none, or if it cannot be read, which sets `is_damaged`.
X509_CRL *copenssl_read_revocation_list(BIO *pem, int *is_damaged);

// Adds the certificates of `pem` to a store and returns their number; -1 if one of them is damaged, or there is no memory.
int copenssl_add_authorities(X509_STORE *store, const void *pem, int count);

// Adds the certificates of one store to another, which then shares them; 1 on success.
int copenssl_share_authorities(X509_STORE *store, X509_STORE *from);

// Adds an intermediate certificate to those that are sent with the client's own; 1 on success.
int copenssl_add_chain_certificate(SSL_CTX *context, X509 *certificate);

// RSASSA-PSS with a salt as long as the digest (RFC 7518 section 3.5); 1 on success.
int copenssl_use_pss(EVP_PKEY_CTX *context);

// HKDF with SHA-256 (RFC 5869); salt and info may be empty; 1 if `derived` was filled.
int copenssl_hkdf_sha256(
    const void *secret, size_t secret_count, const void *salt, size_t salt_count, const void *info, size_t info_count,
    uint8_t *derived, size_t derived_count);

#include "COpenSSLAuthority.h"
#include "COpenSSLServer.h"

#endif
