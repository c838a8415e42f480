"""Tokens that outlive the process, and that processes share: each costs money."""

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.client import get
from harness.output import run
from harness.waiting import poll


def bearer(request) -> str:
    return request.value("authorization").decode().removeprefix("Bearer ")


@pytest.fixture
def directory(tmp_path):
    """Where the proxies of a test keep their tokens; they make it themselves."""
    return tmp_path / "tokens"


@pytest.fixture
def start(start_proxy, origin, directory):
    """Starts a proxy that uses the directory."""

    def start(store: dict = {}, **settings):
        return start_proxy({"forward_to": origin.url}, token_store={"directory": str(directory)} | store, **settings)

    return start


def ask(proxy) -> int:
    return proxy.connect().exchange(get("http://api.internal/")).status


def from_store(proxy) -> str:
    return proxy.log.wait_for(r"event=token\b.*source=store")


def saved(directory):
    """The file of the one token, once it is complete."""
    return poll(lambda: next(iter(directory.glob("*.token")), None), "a token in the directory")


def test_a_restart_buys_nothing(start, origin, authlib, directory):
    first = start()
    assert ask(first) == 200
    saved(directory)
    # It is counted after that.
    first.log.wait_for(r"event=token\b")
    first.stop()
    second = start()
    assert ask(second) == 200
    assert len(authlib.fetches) == 1
    assert {bearer(request) for request in origin.requests} == set(authlib.tokens)
    line = from_store(second)
    assert "reason=first" in line and "result=ok" in line and "fetched_today=1" in line
    assert second.sample("m2m_proxy_tokens_issued_total", credentials="kinde") == 0
    assert second.sample("m2m_proxy_tokens_from_store_total", credentials="kinde") == 1
    assert second.sample("m2m_proxy_token_fetches_total") == 0


def test_neither_token_nor_secret_is_in_the_directory_and_no_other_user_can_read_it(start, authlib, directory, transcript):
    since = len(transcript.texts)
    assert ask(start()) == 200
    poll(lambda: list(directory.glob("*.spending")), "the counters")
    files = list(directory.iterdir())
    assert {path.suffix for path in files} == {".token", ".lock", ".spending"}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        transcript.add(str(path), path.name + path.read_bytes().decode("latin-1"))
    assert transcript.leaks(since) == []


@pytest.mark.parametrize("loops", [1, 2])
def test_two_proxies_with_a_hundred_requests_each_fetch_once_in_all(start, authlib, loops):
    proxies = [start(loops=loops), start(loops=loops)]
    authlib.hold()
    clients = [proxy.connect().send(get("http://api.internal/")) for proxy in proxies for _ in range(100)]
    for proxy in proxies:
        poll(lambda: proxy.sample("m2m_proxy_token_waiting", route="api") == 100, "100 requests that wait for a token")
    authlib.wait_for_fetches(1)
    authlib.release()
    assert [client.answer().status for client in clients] == [200] * 200
    assert len(authlib.fetches) == 1
    assert [proxy.sample("m2m_proxy_tokens_issued_total") for proxy in proxies] in ([1, 0], [0, 1])


def test_a_rolling_update_buys_nothing_and_no_request_fails(start, authlib, directory):
    old = start()
    assert ask(old) == 200
    saved(directory)
    for _ in range(3):
        new = start()
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: ask(new), range(16))) == {200}
            assert set(pool.map(lambda _: ask(old), range(16))) == {200}
        old.stop()
        old = new
    assert len(authlib.fetches) == 1


def test_a_renewal_by_one_proxy_serves_the_other(start, authlib, directory):
    authlib.lifetime = 6
    proxies = [start(), start()]

    def adopted():
        assert {ask(proxy) for proxy in proxies} == {200}
        return sum(proxy.sample("m2m_proxy_tokens_from_store_total") for proxy in proxies)

    # The first is shared at the start, the others are renewals.
    poll(lambda: adopted() >= 3, "two renewals that serve both", patience=40)
    issued = sum(proxy.sample("m2m_proxy_tokens_issued_total") for proxy in proxies)
    assert issued <= len(authlib.tokens)


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "noise"])
def test_a_damaged_file_is_set_aside_and_costs_one_token(start, authlib, directory, damage):
    first = start()
    assert ask(first) == 200
    path = saved(directory)
    first.stop()
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-1], "changed": content[:60] + bytes([content[60] ^ 1]) + content[61:],
                      "empty": b"", "noise": os.urandom(len(content))}[damage])
    second = start()
    assert ask(second) == 200
    assert len(authlib.fetches) == 2
    line = second.log.wait_for(r"event=token_store\b")
    assert "error=token_store_damaged" in line and path.name in line and "level=warning" in line
    assert second.sample("m2m_proxy_token_store_problems_total", kind="token_store_damaged") == 1
    assert [found.name for found in directory.glob("*.damaged")] == [path.name + ".damaged"]
    poll(lambda: path.exists(), "the new token in the directory")
    second.stop()
    assert ask(start()) == 200
    assert len(authlib.fetches) == 2


def test_a_directory_that_has_gone_is_a_warning_and_no_failed_request(start, authlib, directory):
    proxy = start()
    directory.rename(directory.with_name("gone"))
    assert ask(proxy) == 200
    assert ask(proxy) == 200
    assert len(authlib.fetches) == 1
    line = proxy.log.wait_for(r"event=token_store\b.*error=token_store_unusable")
    assert "No such file or directory" in line and "hint=" in line


def test_a_directory_that_is_opened_to_others_later_is_a_warning_and_no_failed_request(start, authlib, directory):
    proxy = start()
    directory.chmod(0o777)
    assert ask(proxy) == 200
    assert ask(proxy) == 200
    assert len(authlib.fetches) == 1
    line = proxy.log.wait_for(r"event=token_store\b.*error=token_store_unusable")
    assert f"{directory} is open to other users (mode 0777); chmod 700 {directory} fixes that" in line
    assert list(directory.iterdir()) == []


def test_a_full_disk_is_a_warning_and_no_failed_request(start, authlib, directory):
    proxy = start()
    # No file may grow, which is how a full disk looks to a writer.
    resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (0, 0))
    assert ask(proxy) == 200
    line = proxy.log.wait_for(r"event=token_store\b.*error=token_store_unusable")
    assert "cannot be written: File too large" in line
    assert not list(directory.glob("*.token*"))


needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="it takes root and unshare to mount")


def mounting(script: str) -> list[str]:
    """What starts a process after `script`, in a mount namespace of its own."""
    return ["unshare", "--mount", "sh", "-ec", script + '\nexec "$@"', "sh"]


@needs_mounts
@pytest.mark.parametrize("there", [True, False], ids=["the directory is there", "it would have to be made"])
def test_a_read_only_file_system_is_a_warning_and_tokens_are_in_memory(start, authlib, directory, tmp_path, there):
    disk = tmp_path / "disk"
    disk.mkdir()
    store = disk / "tokens"
    make = f"mkdir -m 700 {store}; " if there else ""
    proxy = start(store={"directory": str(store)}, launcher=mounting(
        f"mount -t tmpfs -o mode=755 tmpfs {disk}; {make}mount -o remount,ro {disk}"))
    assert re.search(rf"^warning .*token_store.directory names {store}, which is on a read-only file system",
                     proxy.messages.text, re.MULTILINE), proxy.messages.text
    assert [ask(proxy) for _ in range(3)] == [200] * 3
    assert len(authlib.fetches) == 1
    line = proxy.log.wait_for(r"event=token_store\b.*error=token_store_unusable")
    assert ("Read-only file system" if there else "No such file or directory") in line


@needs_mounts
def test_a_token_on_a_read_only_file_system_is_used(start, authlib, directory, tmp_path):
    first = start()
    assert ask(first) == 200
    saved(directory)
    first.stop()
    second = start(launcher=mounting(f"mount --bind {directory} {directory}; mount -o remount,ro,bind {directory}"))
    assert ask(second) == 200
    assert len(authlib.fetches) == 1
    from_store(second)


@needs_mounts
def test_a_directory_of_a_wrong_mode_is_a_problem_on_a_read_only_file_system_too(start, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with pytest.raises(AssertionError, match="is open to other users"):
        start(store={"directory": str(disk / "tokens")}, launcher=mounting(
            f"mount -t tmpfs -o mode=755 tmpfs {disk}; mkdir -m 755 {disk}/tokens; mount -o remount,ro {disk}"))


@pytest.fixture
def disk(tmp_path):
    """A disk in a file: where it is mounted, and what mounts it."""
    for program in ["mkfs.ext4", "fsfreeze", "nsenter"]:
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            pytest.skip(f"there is no {program} to make a disk with that hangs")
    place, image = tmp_path / "disk", tmp_path / "image"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    assert run(["/usr/sbin/mkfs.ext4", "-q", str(image)]).returncode == 0
    mount = f"mount -o loop {image} {place}"
    probe = run(["unshare", "--mount", "sh", "-ec", mount])
    if probe.returncode != 0:
        pytest.skip(f"no file can be mounted here: {probe.stderr}")
    return place, mounting(f"{mount}; mkdir -m 700 {place}/tokens")


@needs_mounts
def test_a_disk_that_hangs_costs_a_token_and_two_seconds(start, authlib, disk):
    """The file system is frozen: who writes to it waits, and not even SIGKILL ends that."""
    place, launcher = disk
    proxy = start(store={"directory": str(place / "tokens")}, launcher=launcher)
    namespace = os.open(f"/proc/{proxy.pid}/ns/mnt", os.O_RDONLY)

    def freeze(how: str) -> None:
        result = subprocess.run(["nsenter", f"--mount=/proc/self/fd/{namespace}", "/usr/sbin/fsfreeze", how, place],
                                pass_fds=[namespace], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr

    def threads() -> list[str]:
        return [(task / "stat").read_text().rsplit(")", 1)[1].split()[0]
                for task in Path(f"/proc/{proxy.pid}/task").iterdir() if (task / "comm").read_text() == "token-store\n"]

    try:
        freeze("-f")
        try:
            began = time.monotonic()
            assert ask(proxy) == 200
            assert 2 <= time.monotonic() - began < 10
            line = proxy.log.wait_for(r"event=token_store\b.*error=token_store_stalled")
            assert "level=warning" in line and "hint=" in line
            # One thread is stuck in the kernel, and no other has gone after it.
            poll(lambda: threads() == ["D"], "the thread that waits for the disk")
            with ThreadPoolExecutor(16) as pool:
                assert set(pool.map(lambda _: ask(proxy), range(64))) == {200}
            assert len(threads()) == 1
            assert proxy.sample("m2m_proxy_token_store_problems_total", kind="token_store_stalled") == 1
            assert len(authlib.fetches) == 1
        finally:
            freeze("-u")
        poll(lambda: threads() == ["S"], "the end of the operation that hung")
    finally:
        os.close(namespace)


def test_a_directory_that_others_can_enter_is_refused_with_the_fix(binary, directory, tmp_path):
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    (tmp_path / "proxy.conf").write_text(
        f"token_store: {{ directory: {directory} }}\n"
        "credentials:\n  kinde: { domain: acme.kinde.com, client_id: x, client_secret: \"${SECRET}\" }\n"
        "routes:\n  - { name: a, match: a.internal, audience: https://a.example }\n")
    result = run([binary, "check", "--config", tmp_path / "proxy.conf"], env={"SECRET": "x"})
    assert result.returncode == 64
    assert "proxy.conf:1:27: token_store.directory names" in result.stderr
    assert f"open to other users (mode 0755); chmod 700 {directory} fixes that" in result.stderr


def test_kill_in_the_middle_of_a_fetch_releases_the_lock(start, authlib, directory):
    first = start()
    authlib.hold()
    first.connect().send(get("http://api.internal/"))
    authlib.wait_for_fetches(1)
    second = start()
    client = second.connect().send(get("http://api.internal/"))
    poll(lambda: second.sample("m2m_proxy_token_waiting", route="api") == 1, "a request that waits for the first proxy")
    assert len(authlib.fetches) == 1
    first.kill()
    authlib.wait_for_fetches(2)
    authlib.release()
    assert client.answer().status == 200
    assert not re.search(r"event=token_store\b", second.log.text)


def test_a_proxy_that_is_stopped_while_it_fetches_is_not_waited_for_for_ever(start, authlib, directory):
    first = start()
    authlib.hold()
    first.connect().send(get("http://api.internal/"))
    authlib.wait_for_fetches(1)
    first.signal(signal.SIGSTOP)
    try:
        second = start()
        client = second.connect().send(get("http://api.internal/"))
        authlib.release()
        # 11 s: longer than any fetch takes, and less than a request waits for a token.
        assert second.log.wait_for(r"error=token_store_locked", patience=20)
        assert client.answer().status == 200
    finally:
        first.signal(signal.SIGCONT)


def test_a_monthly_budget_survives_restarts(start, authlib, directory):
    authlib.lifetime, authlib.opaque = 1, True
    credentials = {"kinde": authlib.credential(budget={"tokens": 2, "per": "month", "when_spent": "stop"})}
    for number in range(2):
        proxy = start(credentials=credentials)
        assert ask(proxy) == 200
        assert proxy.log.wait_for(r"event=token\b.*result=ok")
        assert proxy.sample("m2m_proxy_tokens_issued", period="month") == number + 1
        proxy.stop()
        for path in directory.glob("*.token"):
            path.unlink()
    assert ask(start(credentials=credentials)) == 503
    assert len(authlib.tokens) == 2


def test_a_key_of_its_own_survives_a_rotation(start, start_proxy, origin, authlib, directory, tmp_path, transcript):
    key = tmp_path / "key"
    key.write_text(transcript.keep_secret("a-key-of-more-than-32-characters-in-all") + "\n")
    key.chmod(0o400)
    first = start({"key": {"file": str(key)}})
    assert ask(first) == 200
    saved(directory)
    first.stop()
    authlib.client.secret = transcript.keep_secret("another-secret-after-the-rotation")
    assert ask(start({"key": {"file": str(key)}})) == 200
    assert len(authlib.fetches) == 1


def test_after_a_rotation_the_previous_secret_still_opens_the_store(start, authlib, directory, transcript):
    first = start()
    assert ask(first) == 200
    saved(directory)
    first.stop()
    old = authlib.client.secret
    authlib.client.secret = transcript.keep_secret("another-secret-after-the-rotation")
    second = start(credentials={"kinde": authlib.credential(client_secret_previous={"env": "OLD_SECRET"})},
                   environment={"OLD_SECRET": old})
    assert ask(second) == 200
    assert len(authlib.fetches) == 1


def test_a_token_that_the_api_refused_does_not_come_back_with_a_restart(start, origin, authlib, directory):
    refused = set()

    def api(connection):
        while not connection.at_end():
            if bearer(connection.request()) in refused:
                connection.answer(b"", "401 Unauthorized", "WWW-Authenticate: Bearer")
            else:
                connection.answer()

    origin.otherwise = api
    first = start()
    assert ask(first) == 200
    saved(directory)
    refused.update(authlib.tokens)
    authlib.hold()
    first.connect().send(get("http://api.internal/"))
    authlib.wait_for_fetches(2)
    poll(lambda: not list(directory.glob("*.token")), "the refused token's end in the directory")
    first.kill()
    authlib.release()
    assert ask(start()) == 200
    assert len(authlib.fetches) == 3
    # The request that was answered, and the one that was refused.
    assert sum(bearer(request) in refused for request in origin.requests) == 2
