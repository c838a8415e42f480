"""The kernel refuses connections and sockets, for whatever reason it gives: the proxy waits, and goes on afterwards."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from harness import faults
from harness.client import RawClient, get
from harness.waiting import poll

SHORTAGES = "m2m_proxy_limit_reached_total{limit=\"descriptors\"} "


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    compiler = next(filter(None, map(shutil.which, ["cc", "clang", "gcc"])), None)
    if not compiler:
        pytest.skip("no C compiler for the library in which system calls fail")
    return faults.library(tmp_path_factory.mktemp("faults"), compiler)


@pytest.fixture
def proxy(start_proxy, origin, library, tmp_path):
    wrong = faults.Faults(library, tmp_path / "faults")
    proxy = start_proxy({"forward_to": origin.url}, loops=1, environment=wrong.environment, timeouts={"head": "500ms"})
    proxy.faults = wrong
    return proxy


class Admin:
    """A connection that is open already: no other is accepted meanwhile."""

    def __init__(self, proxy):
        self.client = RawClient(proxy.admin)
        self.shortages()

    def shortages(self) -> int:
        text = self.client.exchange(get("/metrics", host="localhost")).body.decode()
        return next(int(line.removeprefix(SHORTAGES)) for line in text.splitlines() if line.startswith(SHORTAGES))


def processor_time(proxy) -> float:
    fields = Path(f"/proc/{proxy.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("number", faults.SHORTAGES, ids=errno.errorcode.get)
def test_accepting_pauses_while_the_kernel_lacks_resources_and_resumes_by_itself(proxy, number):
    admin = Admin(proxy)
    before = proxy.connect()
    assert before.exchange(get("http://api.internal/x")).status == 200
    proxy.faults.accept_error = number
    waiting = [proxy.connect().send(get("http://api.internal/x")) for _ in range(3)]
    poll(lambda: proxy.faults.accept_failures >= 1, "a failure")
    # Those that are in are served as ever.
    assert before.exchange(get("http://api.internal/x")).status == 200
    failures, used = proxy.faults.accept_failures, processor_time(proxy)
    poll(lambda: proxy.faults.accept_failures >= failures + 10, "ten more tries")
    assert processor_time(proxy) - used < 0.5, "it spins"
    assert admin.shortages() >= 10
    proxy.faults.accept_error = 0
    assert [client.answer().status for client in waiting] == [200] * 3
    assert any(os.strerror(number) in line and "accept" in line for line in proxy.output.splitlines())


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EINTR, errno.EPROTO, errno.ENETDOWN, errno.EPERM,
                                    errno.EINVAL, errno.ENOTSOCK, errno.ENOSYS], ids=errno.errorcode.get)
def test_no_other_failure_of_accepting_makes_it_spin_or_end(proxy, number):
    """Most say that one connection died on the way in; what lasts must not use up a processor."""
    before = proxy.connect()
    assert before.exchange(get("http://api.internal/x")).status == 200
    proxy.faults.accept_error = number
    waiting = proxy.connect().send(get("http://api.internal/x"))
    poll(lambda: proxy.faults.accept_failures >= 1, "a failure")
    failures, used = proxy.faults.accept_failures, processor_time(proxy)
    # Half a second, by the proxy's own clock: so long it waits for the rest of a head.
    assert before.send(get("http://api.internal/x")[:-2]).answer().status == 408
    assert proxy.faults.accept_failures - failures < 1000, "it spins"
    assert processor_time(proxy) - used < 0.4, "it spins"
    proxy.faults.accept_error = 0
    assert waiting.answer().status == 200


@pytest.mark.parametrize("number", faults.SHORTAGES, ids=errno.errorcode.get)
def test_no_socket_for_the_upstream_is_a_503_with_retry_after(proxy, origin, number):
    def once(connection):
        connection.request()
        connection.answer(b"ok", "200 OK", "Connection: close")

    origin.otherwise = once
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/x")).status == 200
    proxy.faults.socket_error = number
    for _ in range(3):
        answer = client.exchange(get("http://api.internal/x"))
        assert (answer.status, answer.value("retry-after")) == (503, b"1")
        assert "descriptor" in json.loads(answer.body)["title"]
    assert proxy.faults.socket_failures >= 3
    proxy.faults.socket_error = 0
    assert client.exchange(get("http://api.internal/x")).status == 200
