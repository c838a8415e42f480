#include "CStart.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// SIGHUP, SIGUSR1 and SIGUSR2 end a process that does not say otherwise. `m2m-proxy run` loads proxy.conf again, opens the log file
// again, or upgrades, and a service manager or a rule for logrotate may send them as soon as there is a process. Loading the
// libraries and running their initializers takes many milliseconds, so main is late. The loader calls the functions of
// .preinit_array when all libraries are mapped and relocated, before any initializer: nothing of the program can run earlier.
//
// The signals stay pending until the proxy reads them (SignalWatch). Threads inherit the mask. Programs that the proxy starts
// do not: clinux_start_program sets an empty one. Other commands keep the default.

// Nothing is initialized yet, the sanitizers and what they put in place of libc's functions included: system calls only.
__attribute__((disable_sanitizer_instrumentation)) static void hold_signals(
    int count, char **arguments, char **environment) {
  (void)environment;
  static const char run[] = "run";
  if (count < 2) return;
  for (size_t i = 0; i < sizeof run; i++) {
    if (arguments[1][i] != run[i]) return;
  }
  static const int held[] = {SIGHUP, SIGUSR1, SIGUSR2};
  uint64_t mask = 0;
  for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
    // The kernel's struct sigaction begins with the handler, and is smaller than this.
    uintptr_t action[16] = {0};
    long result = syscall(SYS_rt_sigaction, held[i], NULL, action, sizeof mask);
    // One that was ignored when the program was started (nohup) stays so; blocked, it would still be read.
    if (result != 0 || action[0] != (uintptr_t)SIG_IGN) mask |= UINT64_C(1) << (held[i] - 1);
  }
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, sizeof mask);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **, char **) =
    hold_signals;
