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

static int has_access_list(int file, const char *path) {
  static const char name[] = "system.posix_acl_access";
  ssize_t size = file >= 0 ? fgetxattr(file, name, NULL, 0) : getxattr(path, name, NULL, 0);
  if (size >= 0) return 1;
  return errno == ENODATA || errno == ENOTSUP ? 0 : -1;
}

int clinux_has_access_list(int directory) {
  // A file opened with O_PATH has no readable attributes.
  int readable = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (readable < 0) return -1;
  int result = has_access_list(readable, NULL);
  int error = errno;
  close(readable);
  errno = error;
  return result;
}

int clinux_file_has_access_list(int file, const char *path) { return has_access_list(file, path); }
