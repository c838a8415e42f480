"""System calls that fail, or wait, when a test says so: a library that is loaded before the C library, and a page of
memory that it shares with the test."""

import errno
import mmap
import struct
import subprocess
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile struct {
  int accept_error, accept_failures, socket_error, socket_failures, speaking_port, spoken;
} *faults;

__attribute__((constructor)) static void attach(void) {
  int file = open(getenv("FAULTS"), O_RDWR | O_CLOEXEC);
  faults = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
}

int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags) {
  int (*real)(int, struct sockaddr *, socklen_t *, int) = dlsym(RTLD_NEXT, "accept4");
  if (!faults->accept_error) return real(listener, address, length, flags);
  faults->accept_failures++;
  errno = faults->accept_error;
  return -1;
}

int socket(int domain, int type, int protocol) {
  int (*real)(int, int, int) = dlsym(RTLD_NEXT, "socket");
  if (!faults->socket_error || (domain != AF_INET && domain != AF_INET6)) return real(domain, type, protocol);
  faults->socket_failures++;
  errno = faults->socket_error;
  return -1;
}

// A server on that port speaks first: the client goes on when its bytes are there.
int connect(int number, const struct sockaddr *address, socklen_t length) {
  int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
  int result = real(number, address, length), error = errno;
  if (address->sa_family == AF_INET && ntohs(((const struct sockaddr_in *)address)->sin_port) == faults->speaking_port) {
    struct pollfd wanted = {.fd = number, .events = POLLIN};
    if (poll(&wanted, 1, 10000) == 1) faults->spoken++;
  }
  errno = error;
  return result;
}
"""

_FIELDS = ["accept_error", "accept_failures", "socket_error", "socket_failures", "speaking_port", "spoken"]
SHORTAGES = [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS]


def library(directory: Path, compiler: str) -> Path:
    """Builds the library in `directory`."""
    source, made = directory / "faults.c", directory / "faults.so"
    source.write_text(_SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return made


class Faults:
    """What goes wrong in the process that was started with `environment`: attributes that may be set and read."""

    def __init__(self, made: Path, page: Path):
        page.write_bytes(bytes(4096))
        self.environment = {"LD_PRELOAD": str(made), "FAULTS": str(page)}
        with page.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 4096)

    def __getattr__(self, name: str) -> int:
        if name not in _FIELDS:
            raise AttributeError(name)
        return struct.unpack_from("i", self._page, 4 * _FIELDS.index(name))[0]

    def __setattr__(self, name: str, value) -> None:
        if name in _FIELDS:
            struct.pack_into("i", self._page, 4 * _FIELDS.index(name), value)
        else:
            super().__setattr__(name, value)
