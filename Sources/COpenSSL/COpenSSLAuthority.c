#include "COpenSSLAuthority.h"

#include <string.h>

int copenssl_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509V3_set_ctx_nodb(&context);
  X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
  if (extension == NULL) return 0;
  int status = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return status;
}

int copenssl_check_constraints(X509 *authority, X509 *certificate) {
  int occurrence;
  NAME_CONSTRAINTS *constraints = X509_get_ext_d2i(authority, NID_name_constraints, &occurrence, NULL);
  if (constraints == NULL) return occurrence == -1 ? X509_V_OK : X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX;
  // Makes OpenSSL read and cache the names in the certificate's extensions, which the next call compares.
  X509_check_purpose(certificate, -1, 0);
  int result = NAME_CONSTRAINTS_check(certificate, constraints);
  NAME_CONSTRAINTS_free(constraints);
  return result;
}

// Writes the address of a subtree, which is followed by its mask: "10.0.0.1", or "10.0.0.0/255.0.0.0".
static int print_network(BIO *text, const unsigned char *bytes, int count) {
  int half = count / 2;
  int is_single = 1;
  for (int i = half; i < count; i++) is_single = is_single && bytes[i] == 0xff;
  for (int part = 0; part < (is_single ? 1 : 2); part++) {
    ASN1_OCTET_STRING *address = ASN1_OCTET_STRING_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    int is_made = address != NULL && name != NULL && ASN1_OCTET_STRING_set(address, bytes + part * half, half);
    if (!is_made) {
      ASN1_OCTET_STRING_free(address);
      GENERAL_NAME_free(name);
      return 0;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    BIO *one = BIO_new(BIO_s_mem());
    char *bytes_of_one = NULL;
    int is_printed = one != NULL && GENERAL_NAME_print(one, name) == 1;
    // "IP Address:10.0.0.1"
    long length = is_printed ? BIO_get_mem_data(one, &bytes_of_one) : 0;
    const char *colon = length > 0 ? memchr(bytes_of_one, ':', (size_t)length) : NULL;
    if (colon != NULL) {
      if (part == 1) BIO_puts(text, "/");
      BIO_write(text, colon + 1, (int)(bytes_of_one + length - colon - 1));
    }
    BIO_free(one);
    GENERAL_NAME_free(name);
    if (colon == NULL) return 0;
  }
  return 1;
}

char *copenssl_permitted_hosts(X509 *certificate) {
  NAME_CONSTRAINTS *constraints = X509_get_ext_d2i(certificate, NID_name_constraints, NULL, NULL);
  BIO *text = BIO_new(BIO_s_mem());
  char *result = NULL;
  int has_names = 0;
  int is_complete = text != NULL && constraints != NULL;
  for (int i = 0; is_complete && i < sk_GENERAL_SUBTREE_num(constraints->permittedSubtrees); i++) {
    int kind;
    ASN1_STRING *value =
        GENERAL_NAME_get0_value(sk_GENERAL_SUBTREE_value(constraints->permittedSubtrees, i)->base, &kind);
    if (kind != GEN_DNS && kind != GEN_IPADD) continue;
    if (BIO_ctrl_pending(text) > 0) BIO_puts(text, ", ");
    const unsigned char *bytes = ASN1_STRING_get0_data(value);
    int count = ASN1_STRING_length(value);
    if (kind == GEN_IPADD) {
      is_complete = print_network(text, bytes, count);
      continue;
    }
    has_names = 1;
    // The empty name permits all.
    is_complete = count > 0;
    for (int j = 0; j < count; j++) BIO_printf(text, "%c", bytes[j] > ' ' && bytes[j] < 0x7f ? bytes[j] : '?');
    BIO_puts(text, " and below it");
  }
  // A kind of name without a constraint is permitted as a whole.
  if (is_complete && has_names) {
    char *bytes;
    long count = BIO_get_mem_data(text, &bytes);
    result = OPENSSL_strndup(bytes, (size_t)count);
  }
  BIO_free(text);
  NAME_CONSTRAINTS_free(constraints);
  return result;
}
