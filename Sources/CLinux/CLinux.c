#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int parse_address(const char *host, uint16_t port, struct sockaddr_storage *address, socklen_t *length) {
  memset(address, 0, sizeof *address);
  struct sockaddr_in *v4 = (struct sockaddr_in *)address;
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    *length = sizeof *v4;
    return 0;
  }
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
  if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *length = sizeof *v6;
    return 0;
  }
  errno = EINVAL;
  return -1;
}

static int format_address(const struct sockaddr_storage *address, char text[CLINUX_ADDRESS_TEXT]) {
  char host[INET6_ADDRSTRLEN];
  if (address->ss_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    snprintf(text, CLINUX_ADDRESS_TEXT, "%s:%u", host, ntohs(v4->sin_port));
    return ntohs(v4->sin_port);
  }
  if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    snprintf(text, CLINUX_ADDRESS_TEXT, "[%s]:%u", host, ntohs(v6->sin6_port));
    return ntohs(v6->sin6_port);
  }
  snprintf(text, CLINUX_ADDRESS_TEXT, "unknown");
  return 0;
}

static int close_keeping_errno(int descriptor) {
  int saved = errno;
  close(descriptor);
  errno = saved;
  return -1;
}

int clinux_listen(const char *host, uint16_t port, int backlog, int reuse_port) {
  struct sockaddr_storage address;
  socklen_t length;
  if (parse_address(host, port, &address, &length) < 0) return -1;
  int listener = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) return -1;
  int on = 1;
  if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) return close_keeping_errno(listener);
  if (reuse_port && setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
    return close_keeping_errno(listener);
  // "::" means IPv6 only: configure both addresses to listen on both families.
  if (address.ss_family == AF_INET6 && setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
    return close_keeping_errno(listener);
  // Accepted connections inherit it.
  if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) return close_keeping_errno(listener);
  if (bind(listener, (struct sockaddr *)&address, length) < 0) return close_keeping_errno(listener);
  if (listen(listener, backlog) < 0) return close_keeping_errno(listener);
  return listener;
}

int clinux_keep_alive(int listener, int seconds) {
  int on = seconds > 0, probes = CLINUX_KEEPALIVE_PROBES;
  // Spread the probes over a second period of the same length. Accepted connections inherit all of it.
  int interval = (seconds + probes - 1) / probes;
  if (!on) return setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (setsockopt(listener, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds) < 0) return -1;
  if (setsockopt(listener, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval) < 0) return -1;
  if (setsockopt(listener, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) < 0) return -1;
  return setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static int unix_address(const char *path, struct sockaddr_un *address, socklen_t *length) {
  size_t count = strlen(path);
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (count == 0 || count >= sizeof address->sun_path) {
    errno = count == 0 ? EINVAL : ENAMETOOLONG;
    return -1;
  }
  memcpy(address->sun_path, path, count);
  // The abstract namespace: no NUL at the end, and one in place of the "@" (unix(7)).
  if (path[0] == '@') address->sun_path[0] = '\0';
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count + (path[0] == '@' ? 0 : 1));
  return 0;
}

int clinux_bind_unix(const char *path) {
  struct sockaddr_un address;
  socklen_t length;
  if (unix_address(path, &address, &length) < 0) return -1;
  int bound = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bound < 0) return -1;
  // Linux gives the file the mode of the socket, less the umask. The umask belongs to the whole process, and other threads
  // create files.
  if (fchmod(bound, 0) < 0 || bind(bound, (struct sockaddr *)&address, length) < 0) return close_keeping_errno(bound);
  return bound;
}

int clinux_unix_is_served(const char *path) {
  struct sockaddr_un address;
  socklen_t length;
  if (unix_address(path, &address, &length) < 0) return -1;
  int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return -1;
  int status = connect(probe, (struct sockaddr *)&address, length);
  int error = errno;
  close(probe);
  // EAGAIN: its queue is full.
  if (status == 0 || error == EAGAIN) return 1;
  if (error == ECONNREFUSED) return 0;
  errno = error;
  return -1;
}

int clinux_open_path(const char *path) { return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC); }

int clinux_set_permissions(int descriptor, uint32_t owner, uint32_t group, uint32_t mode) {
  char link[32];
  if ((owner != (uint32_t)-1 || group != (uint32_t)-1) && fchownat(descriptor, "", owner, group, AT_EMPTY_PATH) < 0)
    return -1;
  // fchmod refuses descriptors with O_PATH; the link leads to the same file even if its path has changed (proc(5)).
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  return chmod(link, mode);
}

int clinux_unix_path(int socket, char text[CLINUX_PATH_TEXT]) {
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  if (getsockname(socket, (struct sockaddr *)&address, &length) < 0) return -1;
  size_t start = offsetof(struct sockaddr_un, sun_path);
  size_t count = length > start ? length - start : 0;
  if (count > sizeof address.sun_path) count = sizeof address.sun_path;
  memcpy(text, address.sun_path, count);
  text[count] = '\0';
  if (count > 0 && text[0] == '\0') text[0] = '@';
  return 0;
}

int clinux_peer_user(int socket, uint32_t *user) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -1;
  *user = peer.uid;
  return 0;
}

int clinux_send_datagram(const char *path, const char *message, int milliseconds) {
  struct sockaddr_un address;
  socklen_t length;
  if (unix_address(path, &address, &length) < 0) return -1;
  int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sender < 0) return -1;
  size_t count = strlen(message);
  struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
  // A limit of 0 would mean no limit (socket(7)).
  int flags = MSG_NOSIGNAL | (milliseconds > 0 ? 0 : MSG_DONTWAIT);
  if (setsockopt(sender, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
      sendto(sender, message, count, flags, (struct sockaddr *)&address, length) != (ssize_t)count)
    return close_keeping_errno(sender);
  close(sender);
  return 0;
}

int clinux_begin_connect_unix(const char *path, int type) {
  struct sockaddr_un address;
  socklen_t length;
  if (unix_address(path, &address, &length) < 0) return -1;
  int connected = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (connected < 0) return -1;
  if (connect(connected, (struct sockaddr *)&address, length) < 0) return close_keeping_errno(connected);
  return connected;
}

int clinux_limit_waiting(int socket, int milliseconds) {
  struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
  // SO_SNDTIMEO bounds connect as well (socket(7)).
  if (setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0) return -1;
  return setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

int clinux_connect(const char *host, uint16_t port, int milliseconds) {
  struct sockaddr_storage address;
  socklen_t length;
  if (parse_address(host, port, &address, &length) < 0) return -1;
  int connected = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connected < 0) return -1;
  if (clinux_limit_waiting(connected, milliseconds) < 0 ||
      connect(connected, (struct sockaddr *)&address, length) < 0)
    return close_keeping_errno(connected);
  return connected;
}

int clinux_connect_unix(const char *path, int milliseconds) {
  struct sockaddr_un address;
  socklen_t length;
  if (unix_address(path, &address, &length) < 0) return -1;
  int connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connected < 0) return -1;
  if (clinux_limit_waiting(connected, milliseconds) < 0 ||
      connect(connected, (struct sockaddr *)&address, length) < 0)
    return close_keeping_errno(connected);
  return connected;
}

int clinux_open_peer_process(int socket) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -1;
  // glibc has a function for it only since 2.36.
  return (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

int clinux_accept(int listener, int has_delay, char text[CLINUX_ADDRESS_TEXT]) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  int accepted = accept4(listener, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) return -1;
  int on = 1;
  // Fails on sockets without that delay; they need nothing.
  if (has_delay) (void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  format_address(&address, text);
  return accepted;
}

int clinux_socket_address(int socket, int peer, char text[CLINUX_ADDRESS_TEXT]) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  int status = peer ? getpeername(socket, (struct sockaddr *)&address, &length)
                    : getsockname(socket, (struct sockaddr *)&address, &length);
  if (status < 0) return -1;
  return format_address(&address, text);
}

ssize_t clinux_receive(int socket, void *bytes, size_t count) {
  return syscall(SYS_recvfrom, socket, bytes, count, 0, NULL, NULL);
}

ssize_t clinux_send(int socket, const void *bytes, size_t count) {
  return syscall(SYS_sendto, socket, bytes, count, MSG_NOSIGNAL, NULL, 0);
}

int clinux_is_quiet(int socket) {
  struct pollfd state = {.fd = socket, .events = POLLIN | POLLRDHUP};
  return poll(&state, 1, 0) == 0;
}

int clinux_undelivered_bytes(int socket) {
  int count;
  return ioctl(socket, SIOCOUTQ, &count) < 0 ? -1 : count;
}

int clinux_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data = {.u64 = token}};
  return epoll_ctl(epoll, operation, descriptor, &event);
}

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t clinux_monotonic_nanoseconds(void) { return nanoseconds(CLOCK_MONOTONIC); }
uint64_t clinux_boottime_nanoseconds(void) { return nanoseconds(CLOCK_BOOTTIME); }
uint64_t clinux_realtime_nanoseconds(void) { return nanoseconds(CLOCK_REALTIME); }

// The limit of one cpu.max file ("200000 100000": two cores), rounded up; INT_MAX for none.
static int cores_in(const char *group) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
  FILE *file = fopen(path, "re");
  if (file == NULL) return INT_MAX;
  long quota, period;
  int found = fscanf(file, "%ld %ld", &quota, &period);
  fclose(file);
  if (found != 2 || quota <= 0 || period <= 0) return INT_MAX;
  long cores = (quota + period - 1) / period;
  return cores < INT_MAX ? (int)cores : INT_MAX;
}

// The lowest limit of this process's control group and the groups around it.
static int cores_in_control_groups(void) {
  char line[PATH_MAX];
  char *group = NULL;
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (file == NULL) return INT_MAX;
  while (group == NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "0::/", 4) == 0) group = line + 3;
  fclose(file);
  if (group == NULL) return INT_MAX;
  group[strcspn(group, "\n")] = '\0';
  int least = INT_MAX;
  for (;;) {
    int cores = cores_in(group);
    if (cores < least) least = cores;
    char *last = strrchr(group, '/');
    if (last == NULL) return least;
    *last = '\0';
  }
}

int clinux_available_cores(void) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  int allowed = sched_getaffinity(0, sizeof mask, &mask) < 0 ? 1 : CPU_COUNT(&mask);
  int limit = cores_in_control_groups();
  int cores = allowed < limit ? allowed : limit;
  return cores > 0 ? cores : 1;
}

static int release_clean_pages(struct dl_phdr_info *object, size_t size, void *page) {
  (void)size;
  uintptr_t mask = *(uintptr_t *)page - 1;
  for (int index = 0; index < object->dlpi_phnum; index++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
    // Writable pages may differ from the file.
    if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
    // Whole pages only: a partial page may hold bytes of another segment.
    uintptr_t start = (object->dlpi_addr + segment->p_vaddr + mask) & ~mask;
    uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~mask;
    // If the kernel refuses, nothing is lost.
    if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
  }
  return 0;
}

void clinux_release_clean_pages(void) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  dl_iterate_phdr(release_clean_pages, &page);
  malloc_trim(0);
}

void clinux_return_free_memory(void) { malloc_trim(0); }

void clinux_name_thread(const char *name) {
  char kept[16];
  snprintf(kept, sizeof kept, "%s", name);
  pthread_setname_np(pthread_self(), kept);
}

int clinux_signal_descriptor(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (error != 0) {
    errno = error;
    return -1;
  }
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int clinux_ignores_signal(int signal) {
  struct sigaction action;
  return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}
