#define _GNU_SOURCE
#include "CCurl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

// libcurl links libraries that link GnuTLS: OpenLDAP and librtmp. When GnuTLS is loaded, it initialises itself, which takes 130
// KB of memory, unless the program has this function, which GnuTLS's GNUTLS_SKIP_GLOBAL_INIT defines. The proxy allows libcurl
// only http and https, by OpenSSL; code that still calls GnuTLS initialises it first, as OpenLDAP does.
int _gnutls_global_init_skip(void);
int _gnutls_global_init_skip(void) { return 1; }

CURLcode ccurl_set_number(CURL *easy, CURLoption option, long value) { return curl_easy_setopt(easy, option, value); }

CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}

CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl_easy_setopt(easy, option, value);
}

CURLcode ccurl_set_body_callback(CURL *easy, ccurl_data_callback callback, void *context) {
  CURLcode result = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, callback);
  return result != CURLE_OK ? result : curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
}

CURLcode ccurl_set_header_callback(CURL *easy, ccurl_data_callback callback, void *context) {
  CURLcode result = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, callback);
  return result != CURLE_OK ? result : curl_easy_setopt(easy, CURLOPT_HEADERDATA, context);
}

CURLcode ccurl_set_tls_callback(CURL *easy, ccurl_tls_callback callback, void *context) {
  CURLcode result = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, callback);
  return result != CURLE_OK ? result : curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, context);
}

CURLMcode ccurl_set_socket_callback(CURLM *multi, curl_socket_callback callback, void *context) {
  CURLMcode result = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, callback);
  return result != CURLM_OK ? result : curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
}

CURLMcode ccurl_set_timer_callback(CURLM *multi, curl_multi_timer_callback callback, void *context) {
  CURLMcode result = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, callback);
  return result != CURLM_OK ? result : curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
}

CURLcode ccurl_set_ready_callback(CURL *easy, curl_prereq_callback callback, void *context) {
  CURLcode result = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, callback);
  return result != CURLE_OK ? result : curl_easy_setopt(easy, CURLOPT_PREREQDATA, context);
}

CURLSH *ccurl_make_share(void) {
  CURLSH *share = curl_share_init();
  if (share == NULL) return NULL;
  // No lock callbacks: the handle stays on one thread. Names are resolved elsewhere.
  curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  return share;
}

curl_socket_t ccurl_active_socket(CURL *easy) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK) return CURL_SOCKET_BAD;
  return socket;
}

void *ccurl_tls(CURL *easy) {
  struct curl_tlssessioninfo *info = NULL;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == NULL) return NULL;
  return info->backend == CURLSSLBACKEND_OPENSSL ? info->internals : NULL;
}

long ccurl_response_status(CURL *easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

long ccurl_connect_status(CURL *easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
  return status;
}

long ccurl_system_error(CURL *easy) {
  long number = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
  return number;
}

CURLMcode ccurl_drive(CURLM *multi, int *running) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  // Deprecated as the general way to drive transfers, but only this call drives a transfer that waits for neither socket nor
  // timer, and announces its new sockets.
  return curl_multi_socket_all(multi, running);
#pragma GCC diagnostic pop
}

int ccurl_has_ended(curl_socket_t socket) {
  char byte;
  ssize_t count = recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}

int ccurl_is_connected(curl_socket_t socket) {
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  return getpeername(socket, (struct sockaddr *)&peer, &length) == 0;
}

long ccurl_verify_result(CURL *easy) {
  long result = 0;
  curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
  return result;
}

const char *ccurl_default_ca_file(void) { return curl_version_info(CURLVERSION_NOW)->cainfo; }

int ccurl_finished(CURLM *multi, CURLcode *result) {
  int remaining;
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &remaining)) != NULL;) {
    if (message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      return 1;
    }
  }
  return 0;
}

CURLcode ccurl_set_open_socket_callback(CURL *easy, curl_opensocket_callback callback, void *context) {
  CURLcode result = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
  return result != CURLE_OK ? result : curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, context);
}

static int read_address(const struct sockaddr *address, uint8_t octets[16], uint16_t *port) {
  if (address->sa_family == AF_INET) {
    struct sockaddr_in v4;
    memcpy(&v4, address, sizeof v4);
    memcpy(octets, &v4.sin_addr, 4);
    *port = ntohs(v4.sin_port);
    return 4;
  }
  if (address->sa_family == AF_INET6) {
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    memcpy(octets, &v6.sin6_addr, 16);
    *port = ntohs(v6.sin6_port);
    return 6;
  }
  return 0;
}

int ccurl_destination(const struct curl_sockaddr *destination, uint8_t octets[16], uint16_t *port) {
  return read_address(&destination->addr, octets, port);
}

int ccurl_is_local(int family, const uint8_t wanted[16]) {
  uint16_t port;
  // All of 127.0.0.0/8 is this machine, but only 127.0.0.1 is listed.
  if (family == 4 && wanted[0] == 127) return 1;
  struct ifaddrs *interfaces;
  if (getifaddrs(&interfaces) < 0) return 0;
  int found = 0;
  for (struct ifaddrs *entry = interfaces; entry != NULL && !found; entry = entry->ifa_next) {
    uint8_t own[16] = {0};
    found = entry->ifa_addr != NULL && read_address(entry->ifa_addr, own, &port) == family &&
            memcmp(own, wanted, family == 4 ? 4 : 16) == 0;
  }
  freeifaddrs(interfaces);
  return found;
}

curl_socket_t ccurl_open_socket(const struct curl_sockaddr *destination) {
  return socket(destination->family, destination->socktype | SOCK_CLOEXEC, destination->protocol);
}
