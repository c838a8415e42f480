#define _GNU_SOURCE

#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int file_actions(posix_spawn_file_actions_t *actions, int output) {
  int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (error == 0) error = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
  if (error == 0) error = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
  return error;
}

static int attributes_of_a_new_group(posix_spawnattr_t *attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  int error = posix_spawnattr_setsigmask(attributes, &none);
  if (error == 0) error = posix_spawnattr_setsigdefault(attributes, &all);
  if (error == 0) error = posix_spawnattr_setpgroup(attributes, 0);
  if (error == 0) {
    error = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  return error;
}

static int spawn(pid_t *child, const char *path, char *const arguments[], char *const environment[], int output) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&actions);
  if (error != 0) return error;
  error = posix_spawnattr_init(&attributes);
  if (error == 0) {
    error = file_actions(&actions, output);
    if (error == 0) error = attributes_of_a_new_group(&attributes);
    if (error == 0) error = posix_spawn(child, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// Duplicates `descriptor` to a number above the first three, which the child replaces one after the other.
static int moved_up(int descriptor) {
  int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int error = errno;
  close(descriptor);
  errno = error;
  return moved;
}

pid_t clinux_start_program(const char *path, char *const arguments[], char *const environment[], int *output) {
  // If the parent left SIGCHLD ignored, this process would not learn when its programs end.
  if (clinux_ignores_signal(SIGCHLD)) signal(SIGCHLD, SIG_DFL);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  int write_end = moved_up(ends[1]);
  if (write_end < 0) {
    int error = errno;
    close(ends[0]);
    errno = error;
    return -1;
  }
  pid_t child = -1;
  int error = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? spawn(&child, path, arguments, environment, write_end) : errno;
  close(write_end);
  if (error != 0) {
    close(ends[0]);
    errno = error;
    return -1;
  }
  *output = ends[0];
  return child;
}

static int successor_actions(posix_spawn_file_actions_t *actions, const int *descriptors, int count) {
  int error = 0;
  // None of them is overwritten before it was copied: they ascend, so each is at least the number that it gets. A copy to the same
  // number takes the flag off that would close it.
  for (int i = 0; i < count && error == 0; i++)
    error = posix_spawn_file_actions_adddup2(actions, descriptors[i], STDERR_FILENO + 1 + i);
  if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1 + count);
  return error;
}

// What the start of a proxy holds by itself, but from its first instruction on.
static int successor_attributes(posix_spawnattr_t *attributes) {
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGHUP);
  sigaddset(&held, SIGUSR1);
  sigaddset(&held, SIGUSR2);
  int error = posix_spawnattr_setsigmask(attributes, &held);
  if (error == 0) error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
  return error;
}

pid_t clinux_start_successor(
    const char *path, char *const arguments[], char *const environment[], const int *descriptors, int count) {
  // Ignored by what has started this process, it would keep the end of the program from it.
  if (clinux_ignores_signal(SIGCHLD)) signal(SIGCHLD, SIG_DFL);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  pid_t child = -1;
  int error = posix_spawn_file_actions_init(&actions);
  if (error == 0) {
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
      error = successor_actions(&actions, descriptors, count);
      if (error == 0) error = successor_attributes(&attributes);
      if (error == 0) error = posix_spawn(&child, path, &actions, &attributes, arguments, environment);
      posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
  }
  if (error != 0) {
    errno = error;
    return -1;
  }
  return child;
}

int clinux_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING); }

int clinux_seal_memory_file(int file) {
  return fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

int clinux_is_sealed_memory_file(int file) {
  return fcntl(file, F_GET_SEALS) == (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

int clinux_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

int clinux_open_process(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

static int64_t monotonic_milliseconds(void) { return (int64_t)(clinux_monotonic_nanoseconds() / 1000000); }

int clinux_wait_readable(int descriptor, int milliseconds) {
  int64_t end = monotonic_milliseconds() + milliseconds;
  for (;;) {
    struct pollfd entry = {.fd = descriptor, .events = POLLIN};
    int64_t left = end - monotonic_milliseconds();
    int result = poll(&entry, 1, left > 0 ? (int)left : 0);
    if (result >= 0 || errno != EINTR) return result;
  }
}

int clinux_wait_output(int output, pid_t child, int milliseconds, int *ended) {
  int64_t end = monotonic_milliseconds() + milliseconds;
  int handle = (int)syscall(SYS_pidfd_open, child, 0);
  int result;
  for (;;) {
    // Check for the end first: everything that the program printed before its end can then be read.
    siginfo_t info = {.si_pid = 0};
    *ended = waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
    int64_t left = *ended ? 0 : end - monotonic_milliseconds();
    if (left < 0) left = 0;
    // Old kernels and some sandboxes provide no such descriptor; poll then ignores the negative number.
    struct pollfd entries[] = {{.fd = output, .events = POLLIN}, {.fd = handle, .events = POLLIN}};
    int wait = handle < 0 && left > 10 ? 10 : (int)left;
    result = poll(entries, 2, wait);
    if (result < 0 && errno == EINTR) continue;
    if (result < 0 || entries[0].revents != 0) break;
    if (*ended || left == 0) {
      result = 0;
      break;
    }
  }
  int error = errno;
  if (handle >= 0) close(handle);
  errno = error;
  return result < 0 ? -1 : result > 0;
}

int clinux_wait_program(pid_t child, int milliseconds, int *status) {
  int64_t end = monotonic_milliseconds() + milliseconds;
  int handle = (int)syscall(SYS_pidfd_open, child, 0);
  int result;
  for (;;) {
    pid_t ended = waitpid(child, status, WNOHANG);
    if (ended == child) result = 1;
    else if (ended < 0 && errno != EINTR) result = -1;
    else {
      int64_t left = end - monotonic_milliseconds();
      if (left <= 0) result = 0;
      else {
        // Old kernels and some sandboxes provide no such descriptor.
        if (handle < 0) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        else clinux_wait_readable(handle, (int)left);
        continue;
      }
    }
    break;
  }
  int error = errno;
  if (handle >= 0) close(handle);
  errno = error;
  return result;
}

int clinux_kill_program(pid_t child, int *status) {
  kill(-child, SIGKILL);
  while (waitpid(child, status, 0) != child) {
    if (errno != EINTR) return -1;
  }
  // In a container this may be process 1, which inherits the programs that the child has started. They are being killed.
  for (int attempt = 0; attempt < 100; ++attempt) {
    pid_t ended = waitpid(-child, NULL, WNOHANG);
    if (ended < 0 && errno != EINTR) break;
    if (ended == 0) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
  return 0;
}
