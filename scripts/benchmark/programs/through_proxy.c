// Loaded before the C library, it makes a client that knows no proxies speak through one: a connection to
// 127.0.0.1:BENCH_TARGET_PORT goes to 127.0.0.1:BENCH_PROXY_PORT instead, after CONNECT was answered with 200.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef int connect_function(int, const struct sockaddr *, socklen_t);

// Byte by byte: what comes behind the head is the client's to read.
static int read_head(int descriptor) {
  static const char end[] = "\r\n\r\n";
  char status[16] = "";
  size_t length = 0, matched = 0;
  while (matched < 4 && length < 4096) {
    char byte;
    if (read(descriptor, &byte, 1) != 1) return -1;
    if (length < sizeof status - 1) status[length] = byte;
    length++;
    matched = byte == end[matched] ? matched + 1 : byte == '\r';
  }
  return matched == 4 && strncmp(status, "HTTP/1.1 200", 12) == 0 ? 0 : -1;
}

static int open_tunnel(connect_function *actual, int descriptor, int port, int target) {
  struct sockaddr_in proxy = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (actual(descriptor, (struct sockaddr *)&proxy, sizeof proxy) != 0) return -1;
  char request[128];
  int length = snprintf(request, sizeof request, "CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", target, target);
  if (write(descriptor, request, length) != length || read_head(descriptor) != 0) {
    errno = ECONNREFUSED;
    return -1;
  }
  return 0;
}

int connect(int descriptor, const struct sockaddr *address, socklen_t length) {
  static connect_function *actual;
  if (!actual) actual = (connect_function *)dlsym(RTLD_NEXT, "connect");
  const char *target = getenv("BENCH_TARGET_PORT"), *proxy = getenv("BENCH_PROXY_PORT");
  const struct sockaddr_in *internet = (const struct sockaddr_in *)address;
  if (!target || !proxy || address->sa_family != AF_INET || ntohs(internet->sin_port) != atoi(target))
    return actual(descriptor, address, length);
  int flags = fcntl(descriptor, F_GETFL);
  fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK);
  int result = open_tunnel(actual, descriptor, atoi(proxy), atoi(target));
  int reason = errno;
  fcntl(descriptor, F_SETFL, flags);
  errno = reason;
  return result;
}
