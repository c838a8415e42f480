"""Client secrets that a program prints, that systemd passes on, and that editors on Windows have saved."""

import os
import signal
import stat
import subprocess

import pytest

from harness.client import get
from harness.proxy import clean_environment
from harness.proxy_conf import proxy_conf
from harness.waiting import poll

URL = "http://api.internal/"


@pytest.fixture
def vault(tmp_path, authlib):
    """A program that prints the secret in the file `secret`, and notes in `runs` how it was called."""
    (tmp_path / "secret").write_text(authlib.client.secret)
    path = tmp_path / "vault"
    path.write_text(f"""#!/bin/sh
cd {tmp_path} || exit 1
echo "$# $1" >> runs
[ ! -e wait ] || {{ echo $$ > pid; exec sleep 1000; }}
[ ! -e fail ] || {{ cat secret >&2; cat secret; exit 7; }}
cat secret
""")
    path.chmod(0o755)
    return path


def runs(vault) -> list[str]:
    file = vault.parent / "runs"
    return file.read_text().splitlines() if file.exists() else []


def routes(origin, *names: str) -> list[dict]:
    """Each needs a token of its own."""
    return [{"name": name, "match": f"{name}.internal", "mount": f"/{name}", "forward_to": origin.url,
             "audience": f"https://{name}.example"} for name in names]


def settings(authlib, *words, **more) -> dict:
    return {"idp": authlib.credential(client_secret={"exec": [str(word) for word in words], **more})}


def rotate(vault, authlib) -> None:
    authlib.client.secret = authlib.transcript.keep_secret("a-secret-after-the-rotation-0123")
    new = vault.parent / "secret.new"
    new.write_text(authlib.client.secret)
    new.rename(vault.parent / "secret")


def test_a_program_prints_the_secret_and_is_called_with_its_arguments_as_they_are(start_proxy, origin, authlib, vault):
    proxy = start_proxy(*routes(origin, "api", "b"), credentials=settings(authlib, vault, "kv get $HOME *", "-field=x"))
    for name in ["api", "b"]:
        assert proxy.connect().exchange(get(f"http://{name}.internal/")).status == 200
    assert [fetch.authentication for fetch in authlib.fetches] == ["client_secret_post"] * 2
    assert runs(vault) == ["2 kv get $HOME *"]
    assert "warning" not in proxy.messages.text


def test_it_is_run_again_when_the_secret_is_refused_and_the_request_does_not_notice(start_proxy, origin, authlib, vault):
    proxy = start_proxy(*routes(origin, "api", "b"), credentials=settings(authlib, vault))
    assert proxy.connect().exchange(get(URL)).status == 200
    rotate(vault, authlib)
    # A program that was run less than a second ago is not run again.
    poll(lambda: proxy.connect().exchange(get("http://b.internal/")).status == 200, "the new secret")
    assert len(runs(vault)) == 2


def test_it_is_run_again_when_refresh_has_passed_and_no_request_is_refused(start_proxy, origin, authlib, vault):
    authlib.lifetime, authlib.opaque = 1, True
    proxy = start_proxy({"forward_to": origin.url}, credentials=settings(authlib, vault, refresh="100ms"))

    def asked_again():
        assert proxy.connect().exchange(get(URL)).status == 200
        return len(runs(vault)) >= 3

    poll(asked_again, "three runs")
    assert "event=secret" not in proxy.log.text


def test_the_last_good_secret_survives_a_program_that_fails_and_nothing_that_it_prints_is_logged(
        start_proxy, origin, authlib, vault, transcript):
    start = len(transcript.texts)
    proxy = start_proxy(*routes(origin, "api", "b", "c"), credentials=settings(authlib, vault, refresh="1ms"))
    assert proxy.connect().exchange(get(URL)).status == 200
    (vault.parent / "fail").touch()
    poll(lambda: len(runs(vault)) > 1 or proxy.connect().exchange(get("http://b.internal/")) is None, "a run")
    assert proxy.connect().exchange(get("http://b.internal/")).status == 200
    assert proxy.connect().exchange(get("http://c.internal/")).status == 200
    line = proxy.log.wait_for("event=secret")
    assert "error=secret_program_failed" in line and f"program {vault} ended with exit code 7" in line
    proxy.stop()
    assert transcript.leaks(start) == []


def test_requests_are_served_while_a_program_hangs(start_proxy, origin, authlib, vault):
    def once(connection):
        # The origin does not wait for another request as long as the program hangs.
        connection.request()
        connection.answer(b"", "200 OK", "Connection: close")

    origin.otherwise = once
    proxy = start_proxy(*routes(origin, "api", "b"), loops=1, credentials=settings(authlib, vault, refresh="1ms"))
    assert proxy.connect().exchange(get(URL)).status == 200
    (vault.parent / "wait").touch()

    def started():
        assert proxy.connect().exchange(get("http://b.internal/")).status == 200
        return (vault.parent / "pid").exists()

    authlib.lifetime, authlib.opaque = 1, True
    poll(started, "a program that hangs")
    for _ in range(10):
        assert proxy.connect().exchange(get(URL)).status == 200
    assert "did not end within 10 s, and was killed" in proxy.log.wait_for("event=secret", patience=60)


def test_its_end_is_noticed_also_where_the_proxy_was_started_with_sigchld_ignored(start_proxy, origin, authlib, vault):
    proxy = start_proxy({"forward_to": origin.url}, credentials=settings(authlib, vault),
                        launcher=["/bin/sh", "-c", "trap '' CHLD; exec \"$@\"", "sh"])
    assert proxy.connect().exchange(get(URL)).status == 200


def run_once(binary, directory, command, conf, **environment):
    (directory / "proxy.conf").write_text(proxy_conf(conf))
    return subprocess.run(
        [binary, command, "--config", "proxy.conf"], cwd=directory, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, env=clean_environment(**environment))


def conf(credentials: dict) -> dict:
    return {"listen": ["127.0.0.1:0"], "admin": "127.0.0.1:0", "credentials": credentials,
            "routes": [{"name": "api", "match": "api.internal", "audience": "https://api.example"}]}


def test_at_start_it_must_succeed(binary, authlib, vault, transcript):
    (vault.parent / "fail").touch()
    result = run_once(binary, vault.parent, "run", conf(settings(authlib, vault)))
    assert result.returncode == 64
    assert f"credentials.idp.client_secret.exec: program {vault} ended with exit code 7" in result.stderr
    transcript.add("messages", result.stderr + result.stdout)


def test_at_start_programs_run_in_parallel_and_all_failures_are_reported(binary, authlib, vault, tmp_path):
    """Each waits until the others have been started."""
    path = tmp_path / "meet"
    path.write_text(f"""#!/bin/sh
cd {tmp_path} || exit 1
: > met-$1
for i in 1 2 3; do until [ -e met-$i ]; do sleep 0.01; done; done
exit $1
""")
    path.chmod(0o755)
    credentials = {f"idp-{number}": authlib.credential(client_secret={"exec": [str(path), str(number)]})
                   for number in (1, 2, 3)}
    result = run_once(binary, tmp_path, "run", conf(credentials))
    assert result.returncode == 64
    for number in (1, 2, 3):
        assert f"credentials.idp-{number}.client_secret.exec: program {path} ended with exit code {number}" in result.stderr


def test_a_daemon_that_it_leaves_behind_is_not_waited_for(start_proxy, origin, authlib, vault, tmp_path):
    script = "sleep 1000 & echo $! > $1/daemon; cat $1/secret"
    proxy = start_proxy({"forward_to": origin.url}, credentials=settings(authlib, "/bin/sh", "-c", script, "sh", tmp_path))
    assert proxy.connect().exchange(get(URL)).status == 200
    os.kill(int((tmp_path / "daemon").read_text()), signal.SIGKILL)


def test_check_does_not_run_it_but_reports_whether_it_could(binary, authlib, vault):
    assert run_once(binary, vault.parent, "check", conf(settings(authlib, vault))).returncode == 0
    assert runs(vault) == []
    vault.chmod(0o644)
    result = run_once(binary, vault.parent, "check", conf(settings(authlib, vault)))
    assert result.returncode == 64 and f"names the program {vault}, which cannot be run: Permission denied" in result.stderr
    vault.chmod(0o777)
    result = run_once(binary, vault.parent, "check", conf(settings(authlib, vault)))
    assert result.returncode == 64 and f"names the file {vault}, which can be written by every user" in result.stderr


def test_credentials_of_systemd_are_secret_files(start_proxy, origin, authlib, tmp_path):
    """LoadCredential= and SetCredential= give a directory that only the service's user can read, named in the environment."""
    directory = tmp_path / "credentials" / "m2m-proxy.service"
    directory.mkdir(parents=True)
    file = directory / "kinde_client_secret"
    file.write_text(authlib.client.secret)
    file.chmod(0o400)
    directory.chmod(0o500)
    proxy = start_proxy(
        {"forward_to": origin.url}, environment={"CREDENTIALS_DIRECTORY": str(directory)},
        credentials={"kinde": authlib.credential(client_secret={"file": "${CREDENTIALS_DIRECTORY}/kinde_client_secret"})})
    assert proxy.connect().exchange(get(URL)).status == 200
    assert "warning" not in proxy.messages.text
    assert stat.S_IMODE(file.stat().st_mode) == 0o400


def test_outside_of_systemd_its_missing_directory_is_reported(binary, authlib, tmp_path):
    credential = authlib.credential(client_secret={"file": "${CREDENTIALS_DIRECTORY}/kinde_client_secret"})
    result = run_once(binary, tmp_path, "check", conf({"kinde": credential}))
    assert result.returncode == 64 and "environment variable CREDENTIALS_DIRECTORY is not set" in result.stderr


def test_a_byte_order_mark_is_not_part_of_the_secret(start_proxy, origin, authlib, tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(b"\xef\xbb\xbf" + authlib.client.secret.encode() + b"\r\n")
    file.chmod(0o400)
    proxy = start_proxy({"forward_to": origin.url},
                        credentials={"kinde": authlib.credential(client_secret={"file": str(file)})})
    assert proxy.connect().exchange(get(URL)).status == 200
    assert "begins with a byte-order mark" in proxy.messages.text
