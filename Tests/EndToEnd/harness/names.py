"""Names that resolve to what a test wants, whatever DNS says, and addresses of a network of the test's own: a library that
is loaded before the C library."""

import subprocess
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// NETWORK="address=address;address=address": connections to the first go to the second. Nothing else leads anywhere
// but to this machine, so that a proxy that connects where it must not does no harm.
static int is_here(const struct sockaddr_in *address) {
  unsigned number = ntohl(address->sin_addr.s_addr);
  return number >> 24 == 127 || number == 0;
}

static int is_here6(const struct in6_addr *address) {
  return IN6_IS_ADDR_LOOPBACK(address) || IN6_IS_ADDR_UNSPECIFIED(address) ||
         (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

int connect(int descriptor, const struct sockaddr *address, socklen_t length) {
  static int (*next)(int, const struct sockaddr *, socklen_t);
  if (!next) next = dlsym(RTLD_NEXT, "connect");
  const char *network = getenv("NETWORK");
  if (address->sa_family == AF_INET6 && !is_here6(&((const struct sockaddr_in6 *)address)->sin6_addr)) {
    errno = ENETUNREACH;
    return -1;
  }
  if (address->sa_family != AF_INET) return next(descriptor, address, length);
  struct sockaddr_in reached = *(const struct sockaddr_in *)address;
  char *entries = strdup(network), *state = NULL;
  for (char *entry = strtok_r(entries, ";", &state); entry; entry = strtok_r(NULL, ";", &state)) {
    char *target = strchr(entry, '=');
    *target++ = 0;
    struct in_addr known;
    if (inet_pton(AF_INET, entry, &known) != 1 || known.s_addr != reached.sin_addr.s_addr) continue;
    inet_pton(AF_INET, target, &reached.sin_addr);
    break;
  }
  free(entries);
  if (!is_here(&reached)) {
    errno = ENETUNREACH;
    return -1;
  }
  return next(descriptor, (struct sockaddr *)&reached, length);
}

// What NAMES_FILE holds now.
static char *known_names(void) {
  char *names = calloc(1, 4096);
  FILE *file = fopen(getenv("NAMES_FILE"), "r");
  if (file) fread(names, 1, 4095, file), fclose(file);
  return names;
}

// Counts the questions, as bytes of a file.
static void note_question(void) {
  char name[4096];
  snprintf(name, sizeof name, "%s.asked", getenv("NAMES_FILE"));
  FILE *file = fopen(name, "a");
  if (file) fputc('.', file), fclose(file);
}

// "host=address,address;host=address": answered here. Every other name does not exist. For "host=!again" DNS has no answer, and
// for "host=!hang" none comes while the file says so.
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  note_question();
look:;
  char *names = known_names(), *state = NULL;
  struct addrinfo *first = NULL, **end = &first;
  for (char *entry = strtok_r(names, ";", &state); entry; entry = strtok_r(NULL, ";", &state)) {
    char *addresses = strchr(entry, '='), *inner = NULL;
    *addresses++ = 0;
    if (!node || strcasecmp(node, entry)) continue;
    if (!strcmp(addresses, "!again")) return free(names), EAI_AGAIN;
    if (!strcmp(addresses, "!hang")) {
      free(names);
      usleep(5000);
      goto look;
    }
    for (char *text = strtok_r(addresses, ",", &inner); text; text = strtok_r(NULL, ",", &inner)) {
      struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_storage));
      void *address = info + 1;
      struct sockaddr_in *v4 = address;
      struct sockaddr_in6 *v6 = address;
      unsigned short port = service ? htons(atoi(service)) : 0;
      if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = info->ai_family = AF_INET, v4->sin_port = port, info->ai_addrlen = sizeof *v4;
      } else {
        memset(address, 0, sizeof *v6);
        inet_pton(AF_INET6, text, &v6->sin6_addr);
        v6->sin6_family = info->ai_family = AF_INET6, v6->sin6_port = port, info->ai_addrlen = sizeof *v6;
      }
      info->ai_addr = address;
      info->ai_socktype = hints ? hints->ai_socktype : SOCK_STREAM;
      *end = info;
      end = &info->ai_next;
    }
  }
  free(names);
  *result = first;
  return first ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *info) {
  while (info) {
    struct addrinfo *next = info->ai_next;
    free(info);
    info = next;
  }
}
"""


def library(directory: Path, compiler: str) -> Path:
    """Builds the library in `directory`."""
    source, made = directory / "names.c", directory / "names.so"
    source.write_text(_SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source], check=True)
    return made


class Names:
    """Which names there are, and where they lead. A running process hears of a change at its next look."""

    def __init__(self, made: Path, file: Path):
        self._made = made
        self._file = file

    def lead(self, **names: list[str]) -> None:
        """These names, with "." written as "_", lead to these addresses; there are no others."""
        entries = [f"{name.replace('_', '.')}={','.join(addresses)}" for name, addresses in names.items()]
        written = self._file.with_suffix(".new")
        written.write_text(";".join(entries))
        written.replace(self._file)

    @property
    def questions(self) -> int:
        """How often a process has asked for a name."""
        asked = Path(f"{self._file}.asked")
        return asked.stat().st_size if asked.exists() else 0

    def environment(self, network: dict[str, str] = {}) -> dict[str, str]:
        """What a process needs to go by these names; connections to an address of `network` reach the one behind it."""
        routes = ";".join(f"{address}={reached}" for address, reached in network.items())
        return {"LD_PRELOAD": str(self._made), "NAMES_FILE": str(self._file), "NETWORK": routes}
