#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

int clinux_open_directory(int directory, const char *path) {
  return openat(directory, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int clinux_is_read_only(int directory) {
  struct statvfs system;
  return fstatvfs(directory, &system) == 0 && (system.f_flag & ST_RDONLY) != 0;
}

int clinux_has_access_list(int directory) {
  // Attributes are not to be had of what was opened with O_PATH.
  int readable = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (readable < 0) return -1;
  int result = fgetxattr(readable, "system.posix_acl_access", NULL, 0) >= 0;
  int error = errno;
  close(readable);
  if (result == 0 && error != ENODATA && error != ENOTSUP) {
    errno = error;
    return -1;
  }
  return result;
}
