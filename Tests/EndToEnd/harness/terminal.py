"""Starts a program on a terminal, as a login does.

    python -m harness.terminal TERMINAL [--shell] -- PROGRAM ARGUMENTS

The terminal becomes the controlling one of a new session. Without --shell the program leads the session, in the place of
this process. With it this process does, as a shell: it passes SIGHUP on, and ends as the program does.
"""

import os
import signal
import sys


class Terminal:
    """A terminal, of which `hang_up` is what a closed window or a lost ssh connection is."""

    def __init__(self):
        self._master, slave = os.openpty()
        self.path = os.ttyname(slave)
        # Open to the end: the slave's last close must not be what ends it.
        self._slave = slave

    def launcher(self, *, by_shell: bool = False) -> list[str]:
        return [sys.executable, "-m", "harness.terminal", self.path, *(["--shell"] if by_shell else []), "--"]

    def hang_up(self) -> None:
        if self._master is not None:
            os.close(self._master)
            self._master = None

    def close(self) -> None:
        self.hang_up()
        os.close(self._slave)


def main() -> None:
    split = sys.argv.index("--")
    path, *options = sys.argv[1:split]
    program = sys.argv[split + 1 :]
    os.setsid()
    # Without O_NOCTTY it becomes the controlling terminal of a session that has none.
    os.close(os.open(path, os.O_RDWR))
    if "--shell" not in options:
        os.execvp(program[0], program)
    child = os.fork()
    if child == 0:
        os.execvp(program[0], program)
    for number in [signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1]:
        signal.signal(number, lambda received, _: os.kill(child, received))
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
