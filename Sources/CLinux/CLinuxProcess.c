#define _GNU_SOURCE

#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

// The block of strings that the kernel has put on the stack for the environment, and that /proc/PID/environ shows for as long as
// the process lives. setenv and unsetenv change the array of pointers, and never these bytes.
static struct { char *begin, *end; } initial;

__attribute__((constructor)) static void note_initial_environment(void) {
  char **entry = environ;
  if (entry == NULL || *entry == NULL) return;
  initial.begin = initial.end = *entry;
  for (; *entry == initial.end; entry++) initial.end += strlen(initial.end) + 1;
}

// The value in `entry` if it is that of the variable, or NULL.
static char *value_in(char *entry, const char *name, size_t length) {
  return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

static void wipe_value(char *entry, const char *name, size_t length) {
  char *value = value_in(entry, name, length);
  if (value != NULL) explicit_bzero(value, strlen(value));
}

void clinux_wipe_variable(char *const *entries, const char *name) {
  size_t length = strlen(name);
  for (; entries != NULL && *entries != NULL; entries++) wipe_value(*entries, name, length);
}

void clinux_wipe_initial_variable(const char *name) {
  size_t length = strlen(name);
  // Behind a value that was wiped there are empty strings.
  for (char *entry = initial.begin; entry < initial.end; entry += strlen(entry) + 1) wipe_value(entry, name, length);
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
