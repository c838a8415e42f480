#include "COpenSSLAuthority.h"

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
  // OpenSSL compares with the names that it remembers of a certificate once it has looked at its extensions.
  X509_check_purpose(certificate, -1, 0);
  int result = NAME_CONSTRAINTS_check(certificate, constraints);
  NAME_CONSTRAINTS_free(constraints);
  return result;
}
