// Swift cannot call variadic C functions, and curl_easy_setopt, curl_easy_getinfo and curl_multi_setopt are variadic: there is
// a typed function for each kind of argument. CURL and CURLM are void, so Swift accepts any pointer for them.
#ifndef CCURL_H
#define CCURL_H

#include <curl/curl.h>
#include <stdint.h>

CURLcode ccurl_set_number(CURL *easy, CURLoption option, long value);
CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value);
CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value);

typedef size_t (*ccurl_data_callback)(char *data, size_t size, size_t count, void *context);
CURLcode ccurl_set_body_callback(CURL *easy, ccurl_data_callback callback, void *context);
CURLcode ccurl_set_header_callback(CURL *easy, ccurl_data_callback callback, void *context);

// The callback gets an SSL_CTX * as its second argument.
typedef CURLcode (*ccurl_tls_callback)(CURL *easy, void *ssl_context, void *context);
CURLcode ccurl_set_tls_callback(CURL *easy, ccurl_tls_callback callback, void *context);

CURLMcode ccurl_set_socket_callback(CURLM *multi, curl_socket_callback callback, void *context);
CURLMcode ccurl_set_timer_callback(CURLM *multi, curl_multi_timer_callback callback, void *context);

// Called when the connection is made and no part of a request has been sent.
CURLcode ccurl_set_ready_callback(CURL *easy, curl_prereq_callback callback, void *context);

// A handle whose TLS sessions are shared by the transfers of one thread; NULL without memory.
CURLSH *ccurl_make_share(void);

// CURL_SOCKET_BAD if the handle has no connection.
curl_socket_t ccurl_active_socket(CURL *easy);
// The SSL * of a connection on which bytes were sent or received; NULL if there is none.
void *ccurl_tls(CURL *easy);
long ccurl_response_status(CURL *easy);
// The status of the last response to CONNECT; 0 if there was none.
long ccurl_connect_status(CURL *easy);
// The errno of the last connection that could not be made; 0 for none.
long ccurl_system_error(CURL *easy);
// Makes every transfer of the handle check for work.
CURLMcode ccurl_drive(CURLM *multi, int *running);
// Whether the other end has ended the connection, and sent nothing before that has not been read; also where there is no socket.
int ccurl_has_ended(curl_socket_t socket);
// Whether TCP has connected the socket.
int ccurl_is_connected(curl_socket_t socket);
// The result of verifying the server's certificate (X509_V_OK, X509_V_ERR_...).
long ccurl_verify_result(CURL *easy);

// The CA bundle that this libcurl was built with; NULL for none.
const char *ccurl_default_ca_file(void);

// The result of the handle that has just finished; returns 0 if none has.
int ccurl_finished(CURLM *multi, CURLcode *result);

// The address that libcurl is about to connect to: its family, 4 or 6, its octets and its port; 0 for another family.
int ccurl_destination(const struct curl_sockaddr *destination, uint8_t octets[16], uint16_t *port);
// Whether an address of this family, 4 or 6, belongs to this machine.
int ccurl_is_local(int family, const uint8_t octets[16]);
// A close-on-exec socket for a connection to the destination; CURL_SOCKET_BAD on failure.
curl_socket_t ccurl_open_socket(const struct curl_sockaddr *destination);
CURLcode ccurl_set_open_socket_callback(CURL *easy, curl_opensocket_callback callback, void *context);

#endif
