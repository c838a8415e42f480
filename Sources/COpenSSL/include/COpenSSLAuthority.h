// What it takes to issue certificates, instead of macros and OpenSSL's own context for extensions.
#ifndef COPENSSL_AUTHORITY_H
#define COPENSSL_AUTHORITY_H

#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Adds the extension `nid`, with a value written as in openssl.cnf (x509v3_config(5)), to a certificate that `issuer` (possibly
// the certificate itself) is going to sign; 1 on success.
int copenssl_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value);

// Checks a signed certificate against the name constraints of `authority`: X509_V_OK, or why it is refused.
int copenssl_check_constraints(X509 *authority, X509 *certificate);

// The hosts that the name constraints of an authority permit, to be freed with copenssl_free_text; NULL if every name is
// permitted, or if the constraints cannot be read.
char *copenssl_permitted_hosts(X509 *certificate);

#endif
