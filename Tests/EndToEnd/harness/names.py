"""Names that resolve to what a test wants, whatever DNS says: a library that is loaded before the C library."""

import subprocess
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

// NAMES="host=address,address;host=address": answered here. Every other name does not exist.
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  char *names = strdup(getenv("NAMES")), *state = NULL;
  struct addrinfo *first = NULL, **end = &first;
  for (char *entry = strtok_r(names, ";", &state); entry; entry = strtok_r(NULL, ";", &state)) {
    char *addresses = strchr(entry, '='), *inner = NULL;
    *addresses++ = 0;
    if (!node || strcasecmp(node, entry)) continue;
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


def environment(made: Path, **names: list[str]) -> dict[str, str]:
    """What a process needs so that these names, with "." written as "_", lead to these addresses."""
    entries = [f"{name.replace('_', '.')}={','.join(addresses)}" for name, addresses in names.items()]
    return {"LD_PRELOAD": str(made), "NAMES": ";".join(entries)}
