#define _GNU_SOURCE

#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

void clinux_wipe_variable(char *const *entries, const char *name) {
  size_t length = strlen(name);
  for (; entries != NULL && *entries != NULL; entries++) {
    char *entry = *entries;
    if (strncmp(entry, name, length) != 0 || entry[length] != '=') continue;
    explicit_bzero(entry + length + 1, strlen(entry + length + 1));
  }
}

int clinux_is_open_to_others(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1; }

int clinux_set_open_to_others(int is_open) { return prctl(PR_SET_DUMPABLE, is_open ? 1L : 0L, 0L, 0L, 0L); }

int clinux_gains_no_privileges(void) { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1; }

int clinux_gain_no_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L); }

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static const int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

int clinux_seal(const char *name, const void *bytes, size_t count) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int descriptor = memfd_create(name, flags | MFD_NOEXEC_SEAL);
  // Linux before 6.3 does not know the flag.
  if (descriptor < 0 && errno == EINVAL) descriptor = memfd_create(name, flags);
  if (descriptor < 0) return -1;
  const char *rest = bytes;
  while (count > 0) {
    ssize_t written = write(descriptor, rest, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    rest += written;
    count -= (size_t)written;
  }
  if (count == 0 && fcntl(descriptor, F_ADD_SEALS, all_seals) == 0) return descriptor;
  int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

ssize_t clinux_sealed_size(int descriptor) {
  int seals = fcntl(descriptor, F_GET_SEALS);
  if (seals < 0) return -1;
  struct stat status;
  if ((seals & all_seals) != all_seals) {
    errno = EINVAL;
    return -1;
  }
  return fstat(descriptor, &status) == 0 ? (ssize_t)status.st_size : -1;
}
