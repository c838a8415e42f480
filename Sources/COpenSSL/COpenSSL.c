#include "COpenSSL.h"

#include <stdio.h>
#include <string.h>

void copenssl_allow_moving_writes(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
}

void copenssl_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }

void copenssl_prefer_aes_128(SSL_CTX *context) {
  static const char preferred[] = "TLS_AES_128_GCM_SHA256";
  STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);
  char suites[512];
  size_t length = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int index = 0; index < sk_SSL_CIPHER_num(ciphers); index++) {
      const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, index);
      const char *name = SSL_CIPHER_get_name(cipher);
      if (strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") != 0) continue;
      if ((strcmp(name, preferred) == 0) != (pass == 0)) continue;
      int written = snprintf(suites + length, sizeof suites - length, "%s%s", length > 0 ? ":" : "", name);
      if (written < 0 || (size_t)written >= sizeof suites - length) return;
      length += (size_t)written;
    }
    // The system's configuration rules it out: do not offer it.
    if (length == 0) return;
  }
  SSL_CTX_set_ciphersuites(context, suites);
}

// Whether the certificate names its hosts as subject alternative names. An extension that cannot be read, or occurs twice, does
// not count.
static int names_hosts(X509 *certificate) {
  // libcurl reports the oldest error in the queue as the reason of the next failure.
  ERR_set_mark();
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  ERR_pop_to_mark();
  int found = 0;
  for (int index = 0; index < sk_GENERAL_NAME_num(names) && !found; index++) {
    int kind = sk_GENERAL_NAME_value(names, index)->type;
    found = kind == GEN_DNS || kind == GEN_IPADD;
  }
  GENERAL_NAMES_free(names);
  return found;
}

static int verify_server(X509_STORE_CTX *verification, void *unused) {
  (void)unused;
  int result = X509_verify_cert(verification);
  if (result <= 0 || names_hosts(X509_STORE_CTX_get0_cert(verification))) return result;
  X509_STORE_CTX_set_error(verification, X509_V_ERR_HOSTNAME_MISMATCH);
  return 0;
}

void copenssl_require_alternative_names(SSL_CTX *context) {
  SSL_CTX_set_cert_verify_callback(context, verify_server, NULL);
}

// Without this callback, OpenSSL prompts for the password at the terminal and waits.
static int note_password(char *buffer, int size, int writing, void *wanted) {
  (void)buffer, (void)size, (void)writing;
  *(int *)wanted = 1;
  return -1;
}

EVP_PKEY *copenssl_read_private_key(const void *pem, int count, int *is_encrypted) {
  *is_encrypted = 0;
  BIO *file = BIO_new_mem_buf(pem, count);
  if (file == NULL) return NULL;
  EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, note_password, is_encrypted);
  BIO_free(file);
  return key;
}

X509 *copenssl_read_certificate(BIO *pem) {
  int is_encrypted = 0;
  return PEM_read_bio_X509(pem, NULL, note_password, &is_encrypted);
}

X509_CRL *copenssl_read_revocation_list(BIO *pem, int *is_damaged) {
  ERR_clear_error();
  int is_encrypted = 0;
  X509_CRL *list = PEM_read_bio_X509_CRL(pem, NULL, note_password, &is_encrypted);
  unsigned long error = ERR_peek_last_error();
  *is_damaged =
      list == NULL && !(ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
  ERR_clear_error();
  return list;
}

int copenssl_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
  return SSL_CTX_add1_chain_cert(context, certificate);
}

int copenssl_use_pss(EVP_PKEY_CTX *context) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

int copenssl_hkdf_sha256(
    const void *secret, size_t secret_count, const void *salt, size_t salt_count, const void *info, size_t info_count,
    uint8_t *derived, size_t derived_count) {
  EVP_KDF *algorithm = EVP_KDF_fetch(NULL, "HKDF", NULL);
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(algorithm);
  EVP_KDF_free(algorithm);
  if (context == NULL) return 0;
  // OpenSSL rejects an empty value, and takes a missing one as empty. It only reads these.
  OSSL_PARAM parameters[5], *next = parameters;
  *next++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0);
  *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_count);
  if (salt_count > 0) *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_count);
  if (info_count > 0) *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_count);
  *next = OSSL_PARAM_construct_end();
  int status = EVP_KDF_derive(context, derived, derived_count, parameters);
  EVP_KDF_CTX_free(context);
  return status;
}

int copenssl_add_authorities(X509_STORE *store, const void *pem, int count) {
  BIO *file = BIO_new_mem_buf(pem, count);
  STACK_OF(X509_INFO) *found = file == NULL ? NULL : PEM_X509_INFO_read_bio(file, NULL, NULL, NULL);
  int added = found == NULL ? -1 : 0;
  for (int index = 0; added >= 0 && index < sk_X509_INFO_num(found); index++) {
    X509 *certificate = sk_X509_INFO_value(found, index)->x509;
    if (certificate == NULL) continue;
    added = X509_STORE_add_cert(store, certificate) == 1 ? added + 1 : -1;
  }
  sk_X509_INFO_pop_free(found, X509_INFO_free);
  BIO_free(file);
  return added;
}

int copenssl_share_authorities(X509_STORE *store, X509_STORE *from) {
  // A store never changes once it is made, so this needs no lock.
  STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(from);
  for (int index = 0; index < sk_X509_OBJECT_num(objects); index++) {
    X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, index));
    if (certificate != NULL && X509_STORE_add_cert(store, certificate) != 1) return 0;
  }
  return 1;
}

static int notes_index = -1;

static void make_notes_index(void) { notes_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL); }

static void note_alert(const SSL *session, int value, copenssl_notes *notes) {
  int level = value >> 8, alert = value & 0xff;
  // In TLS 1.3 the level means nothing, and only these two alerts do not report a failure (RFC 8446 section 6).
  int is_failure = level == SSL3_AL_FATAL || SSL_version(session) == TLS1_3_VERSION;
  if (is_failure && alert != SSL_AD_CLOSE_NOTIFY && alert != SSL_AD_USER_CANCELLED) notes->alert = alert;
}

// `result` is that of the handshake, of which one step has ended. The errors of that step are still there.
static void note_step(const SSL *session, int result, copenssl_notes *notes) {
  switch (SSL_get_error(session, result)) {
    case SSL_ERROR_NONE:
      notes->handshake = COPENSSL_HANDSHAKE_NONE;
      notes->has_early_bytes = SSL_has_pending(session);
      break;
    case SSL_ERROR_SYSCALL:
    case SSL_ERROR_ZERO_RETURN: notes->handshake = COPENSSL_HANDSHAKE_LOST; break;
    case SSL_ERROR_SSL:
      // The end of the connection, where the BIO reports it as such.
      notes->handshake = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
                             ? COPENSSL_HANDSHAKE_LOST
                             : COPENSSL_HANDSHAKE_REFUSED;
      break;
    default: notes->handshake = COPENSSL_HANDSHAKE_OPEN;
  }
}

static void take_note(const SSL *session, int where, int value) {
  int is_alert = (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT;
  if (!is_alert && where != SSL_CB_CONNECT_EXIT) return;
  copenssl_notes *notes = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), notes_index);
  if (notes == NULL) return;
  if (is_alert) {
    note_alert(session, value, notes);
  } else {
    note_step(session, value, notes);
  }
}

int copenssl_take_notes(SSL_CTX *context, copenssl_notes *notes) {
  static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
  if (CRYPTO_THREAD_run_once(&once, make_notes_index) != 1 || notes_index < 0) return 0;
  if (SSL_CTX_set_ex_data(context, notes_index, notes) != 1) return 0;
  notes->handshake = COPENSSL_HANDSHAKE_OPEN;
  SSL_CTX_set_info_callback(context, take_note);
  return 1;
}
