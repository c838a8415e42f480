"""Another process of the same user, which is not the proxy's parent, and what it can get hold of. Run as a program: PID NEEDLE…"""

import ctypes
import json
import os
import re
import sys

_C = ctypes.CDLL(None, use_errno=True)
_C.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_C.ptrace.restype = ctypes.c_long
_PTRACE_ATTACH, _PTRACE_DETACH, _PTRACE_SEIZE = 16, 17, 0x4206
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
_LARGEST = 64 << 20


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _regions(pid: int):
    """The parts of the memory that can be written, where secrets are."""
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            begin, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            length = int(end, 16) - int(begin, 16)
            if rights.startswith("rw") and length <= _LARGEST:
                yield int(begin, 16), length


def _by_file(pid: int, begin: int, length: int) -> bytes:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(begin)
        return memory.read(length)


def _by_call(pid: int, begin: int, length: int) -> bytes:
    buffer = ctypes.create_string_buffer(length)
    ours, theirs = _Vector(ctypes.addressof(buffer), length), _Vector(begin, length)
    count = _checked(_C.process_vm_readv(pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0))
    return buffer.raw[:count]


def _search(pid: int, needles: list[bytes], read) -> list[str]:
    found = set()
    for begin, length in _regions(pid):
        try:
            memory = read(pid, begin, length)
        except OSError as error:
            # Parts that nothing has been written to cannot always be read.
            if error.errno in (5, 14):
                continue
            raise
        found |= {needle for needle in needles if needle in memory}
    return sorted(needle.decode() for needle in found)


def _environment(pid: int, needles: list[bytes]) -> list[str]:
    with open(f"/proc/{pid}/environ", "rb") as file:
        text = file.read()
    return sorted(needle.decode() for needle in needles if needle in text)


def _attach(pid: int, needles: list[bytes]) -> list[str]:
    """As gdb and gcore do."""
    _checked(_C.ptrace(_PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0x40000000)
    try:
        return _search(pid, needles, _by_file)
    finally:
        _C.ptrace(_PTRACE_DETACH, pid, None, None)


def _seize(pid: int, needles: list[bytes]) -> list[str]:
    _checked(_C.ptrace(_PTRACE_SEIZE, pid, None, None))
    return _search(pid, needles, _by_file)


def _descriptor(pid: int, needles: list[bytes]) -> list[str]:
    """Its standard error, by way of what takes copies of a process's descriptors."""
    handle = _checked(_C.syscall(_PIDFD_OPEN, pid, 0))
    _checked(_C.syscall(_PIDFD_GETFD, handle, 2, 0))
    return []


def _descriptors(pid: int, needles: list[bytes]) -> list[str]:
    os.listdir(f"/proc/{pid}/fd")
    return []


_WAYS = {
    "environ": _environment, "mem": lambda pid, needles: _search(pid, needles, _by_file),
    "process_vm_readv": lambda pid, needles: _search(pid, needles, _by_call), "ptrace attach": _attach,
    "descriptors": _descriptors, "pidfd_getfd": _descriptor, "ptrace seize": _seize,
}

if __name__ == "__main__":
    pid, needles = int(sys.argv[1]), [text.encode() for text in sys.argv[2:]]
    results = {}
    for name, way in _WAYS.items():
        try:
            results[name] = way(pid, needles)
        except OSError as error:
            results[name] = error.strerror
    print(json.dumps(results))
