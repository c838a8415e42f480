// Sends a request at a constant rate over kept connections, and writes when each was due and how long its answer took
// from then on: a proxy that stalls does not make the load wait for it, and does not hide that it stalled.
//
//   pace PORT CONNECTIONS RATE SECONDS REQUEST-FILE RECORDS-FILE
//
// A record is two doubles, in seconds: since 1970, and the latency. The first request of each connection has none; when
// those are answered, it says "warm". Anything but an answer of 200 ends it with 1.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct {
  int descriptor;
  double due;
  size_t length, expected;
  char answer[8192];
} connection;

static void give_up(const char *what) {
  fprintf(stderr, "pace: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void open_connection(connection *c, int port, int queue) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int on = 1;
  c->descriptor = socket(AF_INET, SOCK_STREAM, 0);
  if (c->descriptor < 0 || connect(c->descriptor, (struct sockaddr *)&address, sizeof address) != 0) give_up("connect");
  setsockopt(c->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(queue, EPOLL_CTL_ADD, c->descriptor, &event) != 0) give_up("epoll_ctl");
}

static void send_request(connection *c, const char *request, size_t length, double due) {
  c->due = due;
  c->length = c->expected = 0;
  if (send(c->descriptor, request, length, MSG_NOSIGNAL) != (ssize_t)length) give_up("send");
}

// Whether the answer is there to its end.
static int receive(connection *c) {
  ssize_t count = recv(c->descriptor, c->answer + c->length, sizeof c->answer - 1 - c->length, 0);
  if (count <= 0) give_up("the connection was closed");
  c->length += count;
  c->answer[c->length] = 0;
  if (!c->expected) {
    char *end = strstr(c->answer, "\r\n\r\n"), *field = strcasestr(c->answer, "\r\ncontent-length:");
    if (!end) return 0;
    if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0 || !field || field > end) give_up("an answer that is not 200");
    c->expected = end + 4 - c->answer + strtoul(field + 17, NULL, 10);
    if (c->expected >= sizeof c->answer) give_up("an answer that is too long");
  }
  return c->length >= c->expected;
}

int main(int count, char **arguments) {
  if (count != 7) give_up("six arguments are needed");
  int port = atoi(arguments[1]), connections = atoi(arguments[2]);
  double rate = atof(arguments[3]), seconds = atof(arguments[4]);
  static char request[8192];
  FILE *file = fopen(arguments[5], "rb"), *records = fopen(arguments[6], "wb");
  if (!file || !records) give_up("a file cannot be opened");
  size_t length = fread(request, 1, sizeof request, file);

  // By turns: every connection carries a request before the first one carries another.
  int queue = epoll_create1(0), next = 0, idle_count = connections;
  connection *all = calloc(connections, sizeof *all), **idle = calloc(connections, sizeof *idle);
  if (!all || !idle) give_up("memory");
  for (int i = 0; i < connections; i++) open_connection(&all[i], port, queue), idle[i] = &all[i];

  double begin = now();
  long sent = 0, answered = 0, total = connections + rate * seconds;
  while (answered < total) {
    double time = now(), due = begin + sent / rate;
    if (time > begin + total / rate + 10) give_up("answers are 10 s late");
    for (; sent < total && idle_count && due <= time; due = begin + ++sent / rate)
      send_request(idle[next], request, length, due), next = (next + 1) % connections, idle_count--;
    // With no connection left nothing can be sent before an answer has come.
    double pause = sent < total && idle_count ? due - now() : 1;
    struct timespec wait = {.tv_nsec = pause > 0 ? pause < 1 ? pause * 1e9 : 999999999 : 0};
    struct epoll_event events[256];
    int ready = epoll_pwait2(queue, events, 256, &wait, NULL);
    if (ready < 0 && errno != EINTR) give_up("epoll_pwait2");
    for (int i = 0; i < ready; i++) {
      connection *c = events[i].data.ptr;
      if (!receive(c)) continue;
      idle[(next + idle_count++) % connections] = c;
      if (++answered <= connections) {
        if (answered == connections) puts("warm"), fflush(stdout);
        continue;
      }
      double record[2] = {c->due, now() - c->due};
      if (fwrite(record, sizeof record, 1, records) != 1) give_up("fwrite");
    }
  }
  return fclose(records) == 0 ? 0 : 1;
}
