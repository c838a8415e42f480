"""m2m-proxy hash-password: what it prints is a hash by which Python's scrypt knows the password."""

import base64
import hashlib
import os
import pty
import re
import subprocess

import pytest

from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import PATIENCE, poll


def knows(hash_: str, password: bytes) -> bool:
    match = re.fullmatch(r"\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})\n", hash_)
    assert match, hash_
    salt, derived = (base64.b64decode(text + "=" * (-len(text) % 4)) for text in match.group(4, 5))
    cost, block, parallel = map(int, match.group(1, 2, 3))
    return derived == hashlib.scrypt(password, salt=salt, n=1 << cost, r=block, p=parallel, maxmem=1 << 28,
                                     dklen=len(derived))


@pytest.fixture
def hash_password(binary):
    def execute(given: bytes, *arguments: str):
        return subprocess.run([binary, "hash-password", *arguments], input=given, capture_output=True, timeout=60,
                              env=clean_environment())
    return execute


@pytest.mark.parametrize("given", [b"p\xc3\xa4ss word:1\n", b"p\xc3\xa4ss word:1", b"p\xc3\xa4ss word:1\r\n",
                                   b"p\xc3\xa4ss word:1\nwhat comes behind it\n"])
def test_the_first_line_of_standard_input_is_the_password(hash_password, given):
    result = hash_password(given)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"$scrypt$ln=15,r=8,p=1$")
    assert knows(result.stdout.decode(), b"p\xc3\xa4ss word:1")
    assert not knows(result.stdout.decode(), b"p\xc3\xa4ss word:2")


def test_the_cost_can_be_chosen_and_the_salt_is_another_each_time(hash_password):
    hashes = [hash_password(b"secret", "--cost", "14").stdout.decode() for _ in range(2)]
    assert hashes[0] != hashes[1] and all(knows(hash_, b"secret") and "ln=14" in hash_ for hash_ in hashes)
    for cost in ["13", "18", "x"]:
        assert hash_password(b"secret", "--cost", cost).returncode == 64


@pytest.mark.parametrize("given, complaint", [
    (b"", b"is empty"), (b"\n", b"is empty"), (b"a\tb", b"control character"), (b"p\xe4ss", b"not UTF-8"),
    (b"x" * 1025, b"longer than 1024 bytes"),
])
def test_what_no_client_can_send_is_refused(hash_password, given, complaint):
    result = hash_password(given)
    assert result.returncode == 65 and complaint in result.stderr and result.stdout == b""


class Terminal:
    """The command with a terminal of its own."""

    def __init__(self, binary):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([binary, "hash-password"], stdin=slave, stderr=slave, stdout=subprocess.PIPE,
                                        env=clean_environment())
        self.slave = slave
        self.shown = b""

    def wait_for(self, text: bytes) -> None:
        os.set_blocking(self.master, False)

        def is_shown():
            try:
                self.shown += os.read(self.master, 4096)
            except BlockingIOError:
                pass
            return text in self.shown

        poll(is_shown, f"{text!r} at the terminal")
        self.shown = b""

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def end(self) -> tuple[int, str]:
        output = self.process.communicate(timeout=PATIENCE)[0].decode()
        while True:
            try:
                self.shown += os.read(self.master, 4096)
            except BlockingIOError:
                break
        assert {"echo", "isig"} <= set(run(["stty", "-a"], stdin=self.slave).stdout.split())
        os.close(self.master)
        os.close(self.slave)
        return self.process.returncode, output


def test_a_terminal_shows_nothing_of_it_and_is_asked_twice(binary):
    terminal = Terminal(binary)
    for question in [b"Password: ", b"Again: "]:
        terminal.wait_for(question)
        terminal.type(b"geheim\n")
    code, output = terminal.end()
    assert code == 0 and knows(output, b"geheim")
    assert b"geheim" not in terminal.shown


def test_two_that_differ_are_refused(binary):
    terminal = Terminal(binary)
    for question, answer in [(b"Password: ", b"one\n"), (b"Again: ", b"two\n")]:
        terminal.wait_for(question)
        terminal.type(answer)
    assert terminal.end() == (65, "")
    assert b"the two passwords differ" in terminal.shown


def test_ctrl_c_ends_it_and_leaves_the_terminal_as_it_was(binary):
    terminal = Terminal(binary)
    terminal.wait_for(b"Password: ")
    terminal.type(b"half a pass\x03")
    assert terminal.end() == (130, "")
