"""The command line: run, check, health, --version, --help; and proxy.conf files that are wrong."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import requests

from harness.client import get
from harness.output import run
from harness.proxy import clean_environment
from harness.proxy_conf import proxy_conf
from harness.waiting import PATIENCE, poll

ROOT = Path(__file__).resolve().parents[2]
GOOD = """\
listen: 127.0.0.1:0
admin: 127.0.0.1:0

credentials:
  kinde:
    token_endpoint: http://127.0.0.1:9/oauth2/token
    client_id: some-id
    client_secret: ${CLIENT_SECRET}

routes:
  - name: orders
    match: orders.internal
    mount: /orders
    forward_to: http://127.0.0.1:9
    credentials: kinde
    audience: https://orders.example.com
"""


@pytest.fixture
def command(binary, tmp_path):
    """Runs the binary to its end, in a directory with `conf` as proxy.conf."""
    def execute(*arguments: str, conf: str | bytes | None = GOOD, **environment: str):
        if conf is not None:
            (tmp_path / "proxy.conf").write_bytes(conf if isinstance(conf, bytes) else conf.encode())
        return run([str(binary), *arguments], cwd=tmp_path,
                   env=clean_environment(**{"CLIENT_SECRET": "from-the-environment"} | environment))
    return execute


def problems(result) -> list[str]:
    """The lines of a configuration that was refused, without the sum below them."""
    assert result.returncode == 64, (result.returncode, result.stdout, result.stderr)
    lines = (result.stdout + result.stderr).splitlines()
    found = [line for line in lines if re.match(r"proxy\.conf:\d+:\d+: ", line)]
    assert any(re.search(rf"\b{len(found)} problems?\b", line) for line in lines), lines
    assert not any(re.match(r"(listen|ready)\b", line) for line in lines)
    return found


def test_version_and_help(command):
    assert re.search(r"\d+\.\d+\.\d+", command("--version").stdout)
    usage = command("--help")
    assert usage.returncode == 0
    for word in ["run", "check", "status", "reload", "drain", "health", "reopen-logs", "log-level"]:
        assert word in usage.stdout


def test_an_unknown_command_is_a_usage_error(command):
    result = command("runn")
    assert result.returncode == 64 and "runn" in result.stderr


def test_check_lists_every_setting_without_a_file(command):
    listed = command("check", "--settings", conf=None)
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = listed.stdout.splitlines()
    assert "  limits.head                       request line and fields together; more: 431  " \
           "(size, 1KB to 48KB; default 32KB)" in lines
    assert [line for line in lines if line.startswith("  loops ") and line.endswith("; a change takes a restart)")]
    assert len([line for line in lines if line.startswith("  ")]) > 120
    assert "`" not in listed.stdout and "](" not in listed.stdout


def test_check_prints_one_thing_at_a_time(command):
    refused = command("check", "--settings", "--schema")
    assert refused.returncode == 64
    assert "exclude each other" in refused.stderr


def test_check_prints_the_routes_of_a_good_file(command):
    result = command("check")
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    for word in ["orders", "orders.internal", "/orders", "http://127.0.0.1:9", "https://orders.example.com"]:
        assert word in output
    assert "from-the-environment" not in output


def test_check_accepts_the_examples_of_docs_providers_without_a_warning(command, authority, tmp_path):
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    certificate = authority.issue("client", key_type="rsa")
    contents = {"client_secret": "made-up", "client.key": certificate.key.read_text(),
                "client.pem": certificate.certificate.read_text()}
    for name, content in contents.items():
        (secrets / name).touch(mode=0o600)
        (secrets / name).write_text(content)
    sections = (ROOT / "docs/providers.md").read_text().split("\n## ")[1:]
    assert len(sections) > 10
    for section in sections:
        examples = re.findall(r"(?s)```yaml\n(.*?)```", section)
        assert examples, section
        # An example without routes has those of the one above it.
        routes = re.search(r"(?ms)^routes:.*", examples[0])[0]
        for example in examples:
            conf = example if "\nroutes:" in example else example + routes
            result = command("check", conf=conf.replace("/run/secrets", str(secrets)),
                             **dict.fromkeys(re.findall(r"\$\{(\w+)\}", conf), "made-up-1"))
            output = result.stdout + result.stderr
            assert (result.returncode, "warning" in output) == (0, False), conf + output


@pytest.mark.parametrize("verb", ["run", "check"])
def test_all_problems_of_a_file_are_reported_at_once_with_positions(command, verb):
    conf = GOOD.replace("    audience:", "    audiance:").replace("credentials: kinde\n", "credentials: kinde-eu\n")
    conf += "    timeouts:\n      connect: soon\n"
    found = problems(command(verb, conf=conf))
    assert 'proxy.conf:16:5: routes[0]: unknown setting "audiance"; did you mean "audience"?' in found
    assert any(re.match(r'proxy\.conf:15:18: routes\[0\]\.credentials .*"kinde-eu".*not defined.*kinde', line)
               for line in found), found
    assert any(re.match(r'proxy\.conf:18:16: routes\[0\]\.timeouts\.connect must be a duration.*"soon"', line)
               for line in found), found


MISSING = """listen: [{ address: "127.0.0.1:0", tls: { certificate: no.pem, key: no.key } }]
interception: {}
credentials:
  one:
    token_endpoint: https://127.0.0.1:9/oauth2
    client_id: ${NOT_SET}
    authentication: private_key_jwt
    private_key: { file: no-private.key }
    certificate: { file: no-public.pem }
  two:
    token_endpoint: https://127.0.0.1:9/oauth2
    client_id: a
    client_secret: { env: NOT_SET_EITHER }
    client_secret_previous: { file: no-secret }
routes:
  - { name: a, match: a.internal, audience: x, credentials: one, tunnel: intercept, tls: { ca_file: no-ca.pem } }
  - { name: b, match: b.internal, audience: x, credentials: two }
"""


@pytest.mark.parametrize("verb", ["run", "check"])
def test_all_that_is_missing_is_reported_at_once(command, verb):
    found = problems(command(verb, conf=MISSING))
    gone = "which cannot be read: No such file or directory"
    assert [line.split(": ", 1)[1] for line in found] == [
        f"listen[0].tls.certificate names the file no.pem, {gone}",
        f"listen[0].tls.key names the file no.key, {gone}",
        f'interception.ca_certificate names the file ca/ca.pem, {gone}; "m2m-proxy ca init --config proxy.conf" makes one',
        "credentials.one.client_id: environment variable NOT_SET is not set",
        f"credentials.one.private_key.file names the file no-private.key, {gone}",
        f"credentials.one.certificate.file names the file no-public.pem, {gone}",
        "credentials.two.client_secret.env: environment variable NOT_SET_EITHER is not set",
        "credentials.two.client_secret_previous.file: file no-secret cannot be read: No such file or directory",
        f"routes[0].tls.ca_file names the file no-ca.pem, {gone}",
    ]


def test_what_makes_the_authority_does_not_miss_it(command):
    found = problems(command("ca", "init", conf=MISSING))
    assert len(found) == 8 and not any("ca/ca.pem" in line for line in found), found


def test_a_wrong_file_binds_nothing(command):
    """The port is taken: a program that tried to bind it would have more to say."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        conf = GOOD.replace("listen: 127.0.0.1:0", "listen: 127.0.0.1:%d" % taken.getsockname()[1]) + "unknown: 1\n"
        assert len(problems(command("run", conf=conf))) == 1


def test_a_port_that_is_taken_is_an_error_naming_the_address(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        result = command("run", conf=GOOD.replace("listen: 127.0.0.1:0", f"listen: {address}"))
        assert result.returncode not in (0, 64) and result.returncode > 0
        assert address in result.stderr and "ready in" not in result.stderr


def test_all_that_cannot_be_bound_is_reported_at_once_with_its_setting(command, tmp_path):
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(3)]
        conf = GOOD.replace("listen: 127.0.0.1:0", f"listen: [127.0.0.1:{taken[0]}, 'unix:{tmp_path}/a/b', 127.0.0.1:{taken[1]}]")
        result = command("run", conf=conf.replace("admin: 127.0.0.1:0", f"admin: 127.0.0.1:{taken[2]}"))
    lines = result.stderr.splitlines()
    assert result.returncode == 71 and len(lines) == 4, result.stderr
    assert lines[0].startswith(f"m2m-proxy: listen[0]: 127.0.0.1:{taken[0]} is in use")
    assert lines[1].startswith(f"m2m-proxy: listen[1]: unix:{tmp_path}/a/b cannot be made")
    assert lines[2].startswith(f"m2m-proxy: listen[2]: 127.0.0.1:{taken[1]} is in use")
    assert lines[3].startswith(f"m2m-proxy: admin: 127.0.0.1:{taken[2]} is in use")


def test_a_file_of_windows_is_read(command):
    result = command("check", conf=b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert result.returncode == 0 and "is valid" in result.stdout, result.stderr
    found = problems(command("check", conf=b"\xef\xbb\xbf" + GOOD.replace("mount: /orders", "mount: orders").replace("\n", "\r\n").encode()))
    assert found == problems(command("check", conf=GOOD.replace("mount: /orders", "mount: orders")))


def test_the_file_may_be_named_without_an_option(command, tmp_path):
    (tmp_path / "other.conf").write_text(GOOD)
    for arguments in [["check", "other.conf"], ["check", "-c", "other.conf"]]:
        result = command(*arguments, conf="")
        assert result.returncode == 0 and "other.conf is valid." in result.stdout, result.stderr
    result = command("check", "other.conf", "--config", "proxy.conf")
    assert result.returncode == 64 and "Name one configuration file" in result.stderr


def test_the_configuration_may_come_from_standard_input(binary, tmp_path):
    def check(text: str):
        return subprocess.run(
            [binary, "check", "--config", "-"], input=text, text=True, capture_output=True, cwd=tmp_path,
            timeout=PATIENCE, env=clean_environment(CLIENT_SECRET="from-the-environment"))

    good = check(GOOD)
    assert good.returncode == 0 and "standard input is valid." in good.stdout, good.stderr
    # Paths count from the working directory.
    (tmp_path / "secret").write_text("from-a-file")
    (tmp_path / "secret").chmod(0o600)
    assert check(GOOD.replace("${CLIENT_SECRET}", "{ file: secret }")).returncode == 0
    bad = check(GOOD.replace("mount: /orders", "mount: orders"))
    assert bad.returncode == 64 and re.match(r"standard input:13:12: ", bad.stderr), bad.stderr
    assert check("x" * (1 << 20) + "y").returncode == 64


@pytest.mark.parametrize("names", [[], ["kinde"], ["kinde", "other"]], ids=len)
def test_the_route_that_is_suggested_for_an_unknown_host_is_valid(binary, start_proxy, origin, command, names):
    credentials = {name: {"token_endpoint": "http://127.0.0.1:9/token", "client_id": "id", "client_secret": "${CLIENT_SECRET}"}
                   for name in names}
    rest = {"credentials": "none", "audience": None}
    proxy = start_proxy({"name": "known", "match": "known.internal", "mount": None, "forward_to": origin.url} | rest,
                        credentials=credentials or None, environment={"CLIENT_SECRET": "from-the-environment"})
    for host in ["api.internal", "api.internal:8443", "10.1.2.3", "[fd00::1]:81", "a_b.internal"]:
        answer = proxy.connect().exchange(get(f"http://{host}/x"))
        hint = json.loads(answer.body)["hint"]
        line = re.search(r"under routes: (- \{.*?\}) ", hint)[1]
        conf = "".join([
            "credentials:\n" if names else "",
            *[f"  {name}: {{ token_endpoint: http://127.0.0.1:9/token, client_id: id, client_secret: '${{CLIENT_SECRET}}' }}\n" for name in names],
            "routes:\n  ", line, "\n"])
        result = command("check", conf=conf)
        assert result.returncode == 0, (conf, result.stderr)


def test_a_missing_file_is_an_error_naming_it(command):
    for verb in ["run", "check"]:
        result = command(verb, "--config", "nowhere.conf", conf=None)
        assert result.returncode == 64
        assert "nowhere.conf" in result.stderr + result.stdout


WRONG = {
    "a tab": ("listen:\n\t- 127.0.0.1:0\n", "tab"),
    "no YAML": ("routes: [a\n", ""),
    "an anchor": (GOOD.replace("mount: /orders", "mount: &a /orders"), "anchor"),
    "a tag": (GOOD.replace("mount: /orders", "mount: !!str /orders"), "tag"),
    "a second document": (GOOD + "---\nlisten: 1\n", "document"),
    "a key twice": (GOOD + "listen: 127.0.0.1:0\n", "listen"),
    "a route's name twice": (GOOD + "  - name: orders\n    mount: /b\n    forward_to: http://127.0.0.1:9\n"
                             "    audience: x\n", "orders"),
    "a mount of two routes": (GOOD + "  - name: b\n    mount: /orders\n    forward_to: http://127.0.0.1:9\n"
                              "    audience: x\n", "/orders"),
    "a route without match and mount": (GOOD.replace("    match: orders.internal\n    mount: /orders\n", ""), "match"),
    "a plain token endpoint outside loopback": (
        GOOD.replace("http://127.0.0.1:9/oauth2", "http://tokens.example/oauth2"), "https"),
    "a variable that is not set": (GOOD.replace("some-id", "${NOT_SET_ANYWHERE}"), "NOT_SET_ANYWHERE"),
    "a secret file that does not exist": (
        GOOD.replace("${CLIENT_SECRET}", "{ file: /nowhere/secret }"), "/nowhere/secret"),
    "no name": (GOOD.replace("  - name: orders\n    match", "  - match"), "name"),
    "a size that is none": (GOOD + "limits:\n  head: lots\n", "size"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_with_a_mistake_is_refused_with_its_position(command, case):
    conf, word = WRONG[case]
    found = problems(command("check", conf=conf))
    assert len(found) >= 1 and any(word in line for line in found), found


def test_an_empty_file_is_refused_naming_the_example(command):
    result = command("run", conf="")
    assert result.returncode == 64 and "proxy.conf.example" in result.stderr


def test_bytes_that_are_no_text_are_refused(command):
    assert problems(command("check", conf=GOOD.encode() + b"# \xff\xfe\n"))


def test_a_secret_in_the_file_is_a_warning_that_does_not_repeat_it(command, transcript):
    secret = transcript.keep_secret("an-inline-secret-of-a-test")
    result = command("check", conf=GOOD.replace("${CLIENT_SECRET}", secret))
    output = result.stdout + result.stderr
    transcript.add("m2m-proxy check", output)
    assert result.returncode == 0
    assert re.search(r"warning.*client_secret.*written in proxy\.conf", output) and secret not in output


def test_plain_http_to_an_upstream_outside_loopback_is_a_warning(command):
    result = command("check", conf=GOOD.replace("forward_to: http://127.0.0.1:9", "forward_to: http://orders.example.com"))
    assert result.returncode == 0 and re.search("warning.*forward_to", result.stdout + result.stderr)


def test_the_start_shows_what_is_served_where(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    text = proxy.messages.text
    assert re.search(r"^m2m-proxy \d+\.\d+\.\d+ · .*proxy\.conf", text)
    assert re.search(r"^listen +http://127\.0\.0\.1:\d+", text, re.M)
    assert re.search(r"^admin +http://127\.0\.0\.1:\d+", text, re.M)
    assert re.search(rf"^route +api .*api\.internal.*→ {re.escape(origin.url)} .*https://api\.example", text, re.M)
    assert proxy.messages.lines[-1].startswith("ready in")


def test_it_listens_on_every_address_of_the_list(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, listen=["127.0.0.1:0", "[::1]:0"])
    urls = re.findall(r"^listen +(http://\S+)", proxy.messages.text, re.M)
    assert len(urls) == 2
    for url in urls:
        assert requests.get(f"{url}/api/", proxies={"http": ""}).text == "ok"


def test_health_tells_a_running_proxy_from_one_that_is_not(start_proxy, origin, command, free_port):
    conf = GOOD.replace("admin: 127.0.0.1:0", f"admin: 127.0.0.1:{free_port}")
    assert command("health", conf=conf).returncode == 1
    start_proxy({"forward_to": origin.url}, admin=f"127.0.0.1:{free_port}")
    result = command("health", conf=conf)
    assert result.returncode == 0, result.stderr


def test_admin_can_be_turned_off(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, admin="off")
    assert proxy.admin is None


def test_proxy_conf_of_the_tests_is_what_a_person_would_write():
    assert proxy_conf({"listen": ["127.0.0.1:0"], "routes": [{"name": "a", "scopes": ["b"], "mount": "/a"}]}) == (
        'listen:\n  - "127.0.0.1:0"\nroutes:\n  - name: a\n    scopes:\n      - b\n    mount: /a\n')


def test_output_never_goes_into_a_socket_with_the_number_of_a_closed_descriptor(binary, tmp_path):
    (tmp_path / "proxy.conf").write_text(GOOD)
    process = subprocess.Popen(
        ["bash", "-c", 'exec "$0" run <&- >&- 2>&-', str(binary)], cwd=tmp_path,
        env=clean_environment(CLIENT_SECRET="from-the-environment"))

    def descriptors():
        found = {}
        for number in os.listdir(f"/proc/{process.pid}/fd"):
            # It may have been closed since it was listed.
            with contextlib.suppress(FileNotFoundError):
                found[number] = os.readlink(f"/proc/{process.pid}/fd/{number}")
        return found

    try:
        poll(lambda: any("socket:" in to for to in descriptors().values()), "a listener")
        found = descriptors()
        assert [found.get(number) for number in "012"] == ["/dev/null"] * 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
