"""Guessing passwords: what it costs the attacker, and that it costs other clients nothing."""

import itertools
import os
import threading
import time
from pathlib import Path

import pytest

from harness.callers import basic, password_hash
from harness.client import RawClient, get
from harness.waiting import PATIENCE, Changes, poll

pytestmark = pytest.mark.alone

URL = "http://api.internal/orders"
# The origin's patience with a connection on which nothing happens is shorter than these tests.
TIMEOUTS = {"upstream_idle": "1s"}


@pytest.fixture
def passwords(transcript) -> dict[str, str]:
    return {name: transcript.keep_secret(f"{name}-päss:word-1") for name in ["billing", "erp", "shop"]}


@pytest.fixture
def start(start_proxy, origin, passwords):
    """Starts proxies for callers whose passwords cost that much; those that `hash-password` makes have 15."""
    def start(cost: int, **settings):
        callers = {name: {"password": password_hash(password, cost)} for name, password in passwords.items()}
        return start_proxy({"forward_to": origin.url, "callers": list(callers)}, callers=callers, timeouts=TIMEOUTS,
                           **settings)
    return start


@pytest.fixture
def proxy(start):
    return start(11)


def status(proxy, user: str, password: str, *, source: str = "127.0.0.1", before: bytes = b"") -> int:
    """Of a request on a connection of its own, from `source`."""
    client = RawClient(proxy.address, source=source)
    try:
        return client.send(before).exchange(get(URL, basic(user, password))).status
    finally:
        # By a reset: thousands of ports that wait for late packets would be missing elsewhere.
        client.reset()


class Guessing:
    """Clients that guess without pause, each time another password, each time from another address of this machine."""

    def __init__(self, proxy, users, header=lambda number: b"", clients: int = 8,
                 password=lambda number: f"guess {number}"):
        """`users` names the user for each number of a guess, `header` what is sent ahead of it."""
        self.statuses: list[int] = []
        self.errors: list[Exception] = []
        self._proxy = proxy
        self._user = users
        self._header = header
        self._password = password
        self._numbers = itertools.count()
        self._ended = threading.Event()
        self._changes = Changes()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> "Guessing":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        assert self.errors == []

    def _run(self) -> None:
        while not self._ended.is_set():
            number = next(self._numbers)
            source = f"127.{number % 200 + 1}.{number // 200 % 250}.2"
            try:
                found = status(self._proxy, self._user(number), self._password(number), source=source,
                               before=self._header(number))
            except TimeoutError:
                continue  # It waits for its turn, and may.
            except Exception as error:
                self.errors.append(error)
                return
            with self._changes:
                self.statuses.append(found)

    def wait_for(self, count: int, *expected: int) -> None:
        """Until so many more guesses have been answered in one of these ways."""
        begin = len(self.statuses)
        self._changes.wait_for(
            lambda: self.errors or sum(found in expected for found in self.statuses[begin:]) >= count,
            f"{count} guesses answered with {expected}")


def use_up_guesses(proxy) -> None:
    """Leaves this machine no guess, all in all and for one user."""
    for number in range(20):
        assert status(proxy, "billing", f"wrong {number}") == 407


USERS = {"of one user": lambda number: "billing", "of made-up users": lambda number: f"user-{number}"}


def test_all_addresses_of_this_machine_have_the_guesses_of_one(proxy):
    statuses = [status(proxy, "billing", f"guess {number}", source=f"127.0.{number}.1") for number in range(25)]
    # One more may have been allowed meanwhile.
    assert statuses[:20] == [407] * 20 and set(statuses[22:]) == {429}, statuses


@pytest.mark.parametrize("users", USERS.values(), ids=USERS.keys())
def test_a_verified_password_is_served_whatever_is_guessed(proxy, passwords, users):
    assert status(proxy, "billing", passwords["billing"]) == 200
    use_up_guesses(proxy)
    with Guessing(proxy, users) as guessing:
        guessing.wait_for(20, 429)
        for _ in range(100):
            assert status(proxy, "billing", passwords["billing"]) == 200
        guessing.wait_for(20, 429)


@pytest.mark.parametrize("users", USERS.values(), ids=USERS.keys())
@pytest.mark.parametrize("user", ["billing", "shop"])
def test_an_application_that_retries_has_its_turn_while_others_guess(proxy, passwords, users, user):
    """Its first request since the start, from an address that has no guess left."""
    use_up_guesses(proxy)
    with Guessing(proxy, users) as guessing:
        guessing.wait_for(100, 429)
        poll(lambda: status(proxy, user, passwords[user]) == 200, "a turn for the right password", 3 * PATIENCE)
        # And from then on it is known.
        for _ in range(20):
            assert status(proxy, user, passwords[user]) == 200
        guessing.wait_for(20, 429)


@pytest.mark.parametrize("user", ["billing", "shop"])
@pytest.mark.parametrize("guessed", [lambda number: f"user-{number}", lambda number: "billing"],
                         ids=["new-users", "one-user"])
def test_guesses_that_are_sent_twice_keep_no_application_out(start, passwords, guessed, user):
    """So that they cannot be told from an application by that. Each check takes a tenth of a second."""
    proxy = start(15)
    with Guessing(proxy, lambda number: guessed(number // 2), clients=32,
                  password=lambda number: f"guess {number // 2}") as guessing:
        guessing.wait_for(60, 429, 503, 407)
        poll(lambda: status(proxy, user, passwords[user]) == 200, "a turn for the right password", 3 * PATIENCE)
        guessing.wait_for(20, 429, 503, 407)


def header(address: str) -> bytes:
    """What a load balancer says of a client's address."""
    return f"PROXY TCP4 {address} 192.0.2.1 40000 8080\r\n".encode()


@pytest.mark.parametrize("user", ["erp", "shop"])
def test_an_application_at_another_address_has_its_turn_at_once(start, passwords, user):
    proxy = start(12, listen=[{"address": "127.0.0.1:0", "proxy_protocol": "127.0.0.0/8"}])
    # So many addresses that their own limits delay none of them, and so few that each sends several.
    attackers = lambda number: header(f"198.51.100.{number % 3 + 1}")
    with Guessing(proxy, lambda number: "erp", attackers, clients=64) as guessing:
        # As many wait as may.
        guessing.wait_for(20, 503)
        assert status(proxy, user, passwords[user], before=header("203.0.113.7")) == 200
        guessing.wait_for(20, 503, 429)


def test_thousands_of_addresses_behind_a_balancer_keep_no_application_out(start, passwords):
    """They guess for one user: another one has its turn at once, and this one soon."""
    proxy = start(15, listen=[{"address": "127.0.0.1:0", "proxy_protocol": "127.0.0.0/8"}])
    attackers = lambda number: header(f"198.{number // 62500 % 100 + 1}.{number // 250 % 250}.{number % 250 + 1}")
    with Guessing(proxy, lambda number: "erp", attackers, clients=64) as guessing:
        guessing.wait_for(1000, 503)
        assert status(proxy, "shop", passwords["shop"], before=header("203.0.113.7")) == 200
        poll(lambda: status(proxy, "erp", passwords["erp"], before=header("203.0.113.8")) == 200,
             "a turn for the right password", 3 * PATIENCE)
        guessing.wait_for(20, 503, 429)


def seconds_of_thread(proxy, name: str) -> float:
    """The processor time that a thread of the proxy has taken."""
    for task in Path(f"/proc/{proxy.pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    raise AssertionError(f"there is no thread {name}")


def test_guesses_take_half_of_a_processor_at_most(start):
    proxy = start(14, listen=[{"address": "127.0.0.1:0", "proxy_protocol": "127.0.0.0/8"}])
    attackers = lambda number: header(f"198.51.{number // 250 % 250}.{number % 250 + 1}")
    began = time.monotonic()
    with Guessing(proxy, lambda number: f"user-{number}", attackers, clients=64) as guessing:
        # The first two seconds of work are without rest; after six that is not what counts.
        poll(lambda: guessing.errors or seconds_of_thread(proxy, "passwords") > 6, "six seconds of work", 60)
    assert seconds_of_thread(proxy, "passwords") <= 2 + (time.monotonic() - began) / 2 + 0.5
