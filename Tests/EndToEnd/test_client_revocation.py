"""Client certificates that are revoked: `client_crl` of a listener."""

import os
import re
import ssl

import pytest

from harness.certificates import CertificateAuthority
from harness.client import get
from harness.output import run
from harness.proxy import clean_environment
from harness.proxy_conf import proxy_conf
from harness.waiting import PATIENCE, poll


class Clients:
    """A root, an authority below it, certificates of both, and the files that a listener has of them."""

    def __init__(self, directory):
        self.root = CertificateAuthority(directory, "root")
        self.issuing = CertificateAuthority(directory, "issuing", self.root)
        self.erp, self.cron = self.root.issue("erp", "erp.internal"), self.root.issue("cron", "cron.internal")
        self.below = self.issuing.issue("below", "below.internal")
        # Shown with the authority that issued it, as clients do.
        self.below.certificate.write_bytes(self.below.certificate.read_bytes() + self.issuing.file.read_bytes())
        self.crl = directory / "lists.pem"

    def publish(self, *lists: bytes) -> None:
        """Puts a new file of lists into place, as a whole."""
        new = self.crl.with_suffix(".new")
        new.write_bytes(b"".join(lists))
        os.replace(new, self.crl)


@pytest.fixture
def clients(tmp_path):
    directory = tmp_path / "clients"
    directory.mkdir()
    return Clients(directory)


@pytest.fixture
def tls(authority, clients):
    """The section `tls` of a listener that heeds the lists."""
    certificate = authority.issue("revoking-listener", "127.0.0.1", "localhost")
    return {"certificate": str(certificate.certificate), "key": str(certificate.key),
            "client_ca": str(clients.root.file), "client_crl": str(clients.crl)}


@pytest.fixture
def listener(start_proxy, origin, tls):
    return lambda **more: start_proxy(
        {"forward_to": origin.url}, listen=[{"address": "127.0.0.1:0", "tls": tls | more}])


def ask(proxy, authority, client=None, *options: str):
    shown = ["--cert", str(client.certificate), "--key", str(client.key)] if client else []
    return run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *shown, *options,
                "https://127.0.0.1:%d/api/x" % proxy.address[1]],
               env=clean_environment(CURL_CA_BUNDLE=str(authority.file)))


def is_served(proxy, authority, client=None, *options: str) -> bool:
    answer = ask(proxy, authority, client, *options)
    assert answer.stdout in ("200", "000"), answer
    return answer.stdout == "200"


def serial(certificate) -> str:
    shown = run(["openssl", "x509", "-noout", "-serial", "-in", str(certificate.certificate)]).stdout
    return shown.strip().removeprefix("serial=")


@pytest.mark.parametrize("version", ["--tls-max=1.2", "--tlsv1.3"])
def test_a_revoked_client_gets_no_connection_and_the_log_names_it(listener, origin, authority, clients, version):
    version = version.replace("=", " ").split()
    clients.publish(clients.root.revocation_list(clients.erp))
    proxy = listener()
    assert is_served(proxy, authority, clients.cron, *version)
    assert not is_served(proxy, authority, clients.erp, *version)
    line = proxy.log.wait_for("event=tls")
    assert "error=tls_client_revoked" in line and "level=warning" in line, line
    assert f'CN=erp (serial number {serial(clients.erp)}, issued by CN=root) has been revoked.' in line, line
    assert "client_crl" in line and proxy.sample("m2m_proxy_errors_total", kind="tls_client_revoked") == 1
    assert len(origin.requests) == 1


def test_a_list_without_entries_revokes_no_certificate(listener, authority, clients):
    clients.publish(clients.root.revocation_list())
    assert is_served(listener(), authority, clients.erp)


def test_with_optional_certificates_only_a_revoked_one_is_refused(listener, authority, clients):
    clients.publish(clients.root.revocation_list(clients.erp))
    proxy = listener(client_certificates="optional")
    assert is_served(proxy, authority) and is_served(proxy, authority, clients.cron)
    assert not is_served(proxy, authority, clients.erp)


def test_the_whole_chain_is_checked(listener, authority, clients):
    clients.publish(clients.root.revocation_list(), clients.issuing.revocation_list())
    proxy = listener()
    assert is_served(proxy, authority, clients.below)
    clients.publish(clients.root.revocation_list(), clients.issuing.revocation_list(clients.below))
    poll(lambda: not is_served(proxy, authority, clients.below), "the end of the certificate")
    clients.publish(clients.root.revocation_list(clients.issuing), clients.issuing.revocation_list())
    # By a client that is served, since failures have few lines in the log.
    poll(lambda: is_served(proxy, authority, clients.cron) and proxy.log.text.count("certificate=reloaded") == 2,
         "the next lists")
    assert not is_served(proxy, authority, clients.below)
    proxy.log.wait_for(r"error=tls_client_revoked .*CN=issuing \(serial number [0-9A-F]+, issued by CN=root\) has been revoked")


def test_an_authority_without_a_list_is_not_accepted(listener, authority, clients):
    clients.publish(clients.root.revocation_list())
    proxy = listener()
    assert not is_served(proxy, authority, clients.below)
    line = proxy.log.wait_for("event=tls")
    assert "error=tls_client_crl" in line and "it is unknown whether CN=issuing has revoked it" in line, line
    assert "a current list of each authority of the chain" in line


def test_an_expired_list_rejects_every_client_with_a_warning_at_start(listener, authority, clients):
    clients.publish(clients.root.revocation_list(days=-1))
    proxy = listener()
    assert re.search(r"^warning +proxy\.conf:\d+:\d+: listen\[0\]\.tls\.client_crl holds a revocation list of CN=root that "
                     "has expired: no client certificate of that authority is accepted", proxy.messages.text, re.M)
    assert not is_served(proxy, authority, clients.cron)
    line = proxy.log.wait_for("event=tls")
    assert "error=tls_client_crl" in line and "CRL has expired" in line, line
    assert proxy.sample("m2m_proxy_errors_total", kind="tls_client_crl") == 1
    # The next list makes up for it, without a restart.
    clients.publish(clients.root.revocation_list())
    poll(lambda: is_served(proxy, authority, clients.cron), "the new list")


def test_a_new_list_is_read_without_a_restart_and_connections_that_are_open_go_on(listener, authority, clients):
    clients.publish(clients.root.revocation_list())
    proxy = listener()
    context = ssl.create_default_context(cafile=str(authority.file))
    context.load_cert_chain(clients.erp.certificate, clients.erp.key)
    connection = proxy.connect()
    connection.socket = context.wrap_socket(connection.socket, server_hostname="localhost")
    assert connection.exchange(get("/api/x")).status == 200
    clients.publish(clients.root.revocation_list(clients.erp))
    poll(lambda: not is_served(proxy, authority, clients.erp), "the new list")
    proxy.log.wait_for("event=tls certificate=reloaded")
    assert connection.exchange(get("/api/x")).status == 200


def test_an_expired_list_that_is_read_later_is_a_warning(listener, authority, clients):
    clients.publish(clients.root.revocation_list())
    proxy = listener()
    assert is_served(proxy, authority, clients.erp)
    clients.publish(clients.root.revocation_list(days=-1))
    poll(lambda: not is_served(proxy, authority, clients.erp), "the expired list")
    line = proxy.log.wait_for("event=tls .*holds a revocation list of CN=root that has expired")
    assert "level=warning" in line and "hint=" in line


@pytest.mark.parametrize("broken", ["nothing", "cut off", "gone", "forged"])
def test_a_list_that_cannot_be_used_leaves_the_old_one_in_use(listener, authority, clients, broken, tmp_path):
    clients.publish(clients.root.revocation_list(clients.erp))
    proxy = listener()
    assert not is_served(proxy, authority, clients.erp) and is_served(proxy, authority, clients.cron)
    if broken == "gone":
        clients.crl.unlink()
    else:
        forger = CertificateAuthority(tmp_path, "root")
        clients.publish({"nothing": b"", "cut off": clients.root.revocation_list()[:-60],
                         "forged": forger.revocation_list()}[broken])
    poll(lambda: not is_served(proxy, authority, clients.erp) and "certificate=kept" in proxy.log.text, "the warning")
    line = proxy.log.wait_for("certificate=kept")
    assert "level=warning" in line and str(clients.crl) in line and "hint=" in line
    assert is_served(proxy, authority, clients.cron)
    clients.publish(clients.root.revocation_list())
    poll(lambda: is_served(proxy, authority, clients.erp), "the next list")


def test_a_file_that_was_cut_off_in_the_line_before_a_list_leaves_the_old_one_in_use(listener, authority, clients):
    both = [clients.root.revocation_list(clients.erp), clients.issuing.revocation_list()]
    clients.publish(*both)
    proxy = listener()
    assert not is_served(proxy, authority, clients.erp) and is_served(proxy, authority, clients.below)
    second = both[1][:both[1].index(b"X509")]
    assert second == b"-----BEGIN "
    for count, piece in enumerate([b"-", b"-----BEG", second, b"-----BEGIN X509 CRL----", b"-----BEGIN X509 CRL----\n"], 1):
        clients.publish(both[0], piece)
        poll(lambda: is_served(proxy, authority, clients.below) and proxy.log.text.count("certificate=kept") == count, "the warning")
        assert "was it cut off" in proxy.log.text
    # What is between lists is text, and may be anything else.
    clients.publish(both[0], b"\n- 2026\n-- of the root\n", both[1])
    poll(lambda: is_served(proxy, authority, clients.below) and "certificate=reloaded" in proxy.log.text, "the next lists")


def test_a_list_that_is_there_no_longer_is_a_warning(listener, authority, clients):
    # The listener knows the root alone: clients show the authority below it.
    both = [clients.root.revocation_list(), clients.issuing.revocation_list()]
    clients.publish(*both)
    proxy = listener()
    assert is_served(proxy, authority, clients.below)
    clients.publish(both[0])
    poll(lambda: not is_served(proxy, authority, clients.below), "the shorter file")
    line = proxy.log.wait_for("no longer holds a revocation list of CN=issuing")
    assert "level=warning" in line and "hint=" in line
    assert is_served(proxy, authority, clients.erp)


class Resuming:
    """`openssl s_client` with a certificate, which keeps its session and offers it again."""

    def __init__(self, proxy, authority, client, version, directory):
        self._session = directory / "session"
        self._command = ["openssl", "s_client", version, "-connect", "127.0.0.1:%d" % proxy.address[1], "-CAfile",
                         str(authority.file), "-servername", "localhost", "-ign_eof", "-cert", str(client.certificate),
                         "-key", str(client.key)]

    def ask(self, *, keeps: bool = False) -> tuple[bool, bool]:
        """Whether the request was served, and whether a session was resumed for that."""
        offered = ["-sess_in", str(self._session)] if self._session.exists() else []
        kept = ["-sess_out", str(self._session)] if keeps else []
        done = run([*self._command, *offered, *kept], input=get("/api/x", "Connection: close").decode())
        return "HTTP/1.1 200" in done.stdout, "Reused, " in done.stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_no_session_is_resumed_where_certificates_may_be_revoked(listener, authority, clients, tmp_path, version):
    clients.publish(clients.root.revocation_list())
    proxy = listener()
    client = Resuming(proxy, authority, clients.erp, version, tmp_path)
    assert client.ask(keeps=True) == (True, False)
    assert client.ask() == (True, False)
    clients.publish(clients.root.revocation_list(clients.erp))
    poll(lambda: not is_served(proxy, authority, clients.erp), "the new list")
    assert client.ask() == (False, False)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_no_session_is_resumed_whose_certificate_has_expired(start_proxy, origin, authority, clients, tls, tmp_path, version):
    del tls["client_crl"]
    proxy = start_proxy({"forward_to": origin.url}, listen=[{"address": "127.0.0.1:0", "tls": tls}])
    for seconds in [4, 16, 64]:
        brief = clients.root.issue("brief", days=seconds / 86_400)
        client = Resuming(proxy, authority, brief, version, tmp_path)
        if client.ask(keeps=True) == (True, False):
            break
    poll(lambda: not is_served(proxy, authority, brief), "the end of the certificate", patience=seconds + PATIENCE)
    assert client.ask() == (False, False)
    # Others resume theirs.
    (tmp_path / "session").unlink()
    lasting = Resuming(proxy, authority, clients.erp, version, tmp_path)
    assert lasting.ask(keeps=True) == (True, False) and lasting.ask() == (True, True)


@pytest.mark.parametrize("lists, message", [
    (None, "which cannot be read: No such file or directory"),
    ("", "which holds no revocation list in PEM form (-----BEGIN X509 CRL-----)"),
    ("cut off", "which holds a damaged revocation list"),
    ("certificate", "which holds no revocation list in PEM form"),
    ("forged", "which holds a revocation list of CN=root that the authority of that name has not signed"),
    ("without client_ca", "listen[0].tls.client_crl needs client_ca"),
])
def test_a_problem_in_proxy_conf_is_reported_with_its_place(binary, tmp_path, clients, tls, lists, message):
    content = {"": b"", "cut off": clients.root.revocation_list()[:-60], "certificate": clients.root.file.read_bytes(),
               "forged": CertificateAuthority(tmp_path, "root").revocation_list(),
               "without client_ca": clients.root.revocation_list()}
    if lists is not None:
        clients.publish(content[lists])
    if lists == "without client_ca":
        del tls["client_ca"]
    ended = check(binary, tmp_path, tls)
    assert ended.returncode == 64 and message in ended.stderr, ended.stderr
    place = re.search(r"^proxy\.conf:(\d+):(\d+): listen\[0\]\.tls\.client_crl ", ended.stderr, re.M)
    assert place, ended.stderr
    line = (tmp_path / "proxy.conf").read_text().splitlines()[int(place[1]) - 1]
    assert line[int(place[2]) - 1:].strip('"').startswith(str(clients.crl)), line


def test_check_warns_of_an_authority_without_a_list(binary, tmp_path, clients, tls):
    clients.publish(clients.issuing.revocation_list())
    ended = check(binary, tmp_path, tls)
    assert ended.returncode == 0, ended
    assert "client_crl holds no revocation list of CN=root: no client certificate of that authority is accepted" in \
        ended.stdout + ended.stderr


def check(binary, directory, tls):
    (directory / "proxy.conf").write_text(proxy_conf({
        "listen": [{"address": "127.0.0.1:0", "tls": tls}],
        "routes": [{"name": "a", "match": "a.internal", "credentials": "none", "forward_to": "http://127.0.0.1:9"}]}))
    return run([str(binary), "check", "--config", "proxy.conf"], cwd=directory, env=clean_environment())
