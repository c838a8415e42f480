// OpenSSL's headers, and functions in place of the macros that Swift cannot import.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

// Lets a write be tried again from another address, and succeed in part.
void copenssl_allow_moving_writes(SSL_CTX *context);

// Lets one system call fetch as many TLS records as have arrived.
void copenssl_read_ahead(SSL_CTX *context);

#endif
