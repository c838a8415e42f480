"""Which ciphers clients are served with: forward secrecy always, AEAD first. Tested with `openssl s_client`."""

import re
import subprocess

import pytest

from harness.output import run
from harness.proxy import clean_environment

# In the order in which they are preferred.
SERVED = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA256", "AES256-SHA384", "AES128-SHA",
          "AES256-SHA"]
TLS13 = ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"]
# Everything that this OpenSSL knows, at a level that lets it offer that.
EVERYTHING = "ALL:eNULL:@SECLEVEL=0"


def served(kind: str) -> list[str]:
    return [f"ECDHE-{'ECDSA' if kind == 'ec' else 'RSA'}-{name}" for name in SERVED]


def known(*options: str) -> list[str]:
    return run(["openssl", "ciphers", *options, EVERYTHING]).stdout.strip().split(":")


class Listener:
    """Something that TLS is agreed with, by `openssl s_client` with these options."""

    def __init__(self, *options: str):
        self._options = options

    def cipher(self, *options: str) -> str | None:
        """The cipher that is agreed on; None when the handshake is refused."""
        command = ["openssl", "s_client", *self._options, "-servername", "api.internal", *options]
        done = run(command, stdin=subprocess.DEVNULL, env=clean_environment())
        match = re.search(r"^New, TLSv1\.\d, Cipher is ((?!\(NONE\))\S+)$", done.stdout, re.M)
        if not match:
            assert re.search("alert handshake failure|alert protocol version", done.stderr), done
        return match and match[1]

    def tls12(self, ciphers: list[str], *options: str) -> str | None:
        return self.cipher("-tls1_2", "-cipher", ":".join(ciphers) + ":@SECLEVEL=0", *options)


@pytest.fixture(scope="session")
def keys(authority):
    """Certificates of both kinds of key; interception has one of its own, for a key on a curve."""
    return {kind: authority.issue(f"ciphers-{kind}", "api.internal", key_type=kind) for kind in ["ec", "rsa"]}


@pytest.fixture
def listener(start_proxy, origin, keys):
    def start(kind: str, **environment: str) -> Listener:
        tls = {"certificate": str(keys[kind].certificate), "key": str(keys[kind].key)}
        proxy = start_proxy({"forward_to": origin.url}, listen=[{"address": "127.0.0.1:0", "tls": tls}],
                            environment=environment)
        return Listener("-connect", "%s:%d" % proxy.address)
    return start


@pytest.fixture
def intercepted(start_proxy, origin, made_authority):
    proxy = start_proxy({"forward_to": origin.url, "tunnel": "intercept"}, interception=made_authority.settings)
    return Listener("-proxy", "%s:%d" % proxy.address, "-connect", "api.internal:443")


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_each_cipher_of_the_list_is_served_and_no_other(listener, kind):
    server = listener(kind)
    assert [server.tls12([name]) for name in served(kind)] == served(kind)
    others = [name for name in known() if name not in served("ec") + served("rsa") and not name.startswith("TLS_")]
    assert "AES128-SHA" in others and "DHE-RSA-AES128-GCM-SHA256" in others and "ECDHE-ECDSA-AES128-CCM" in others
    assert server.tls12(others) is None


@pytest.mark.parametrize("names, options", {
    "kRSA": [], "DHE": [], "aNULL": [], "eNULL": [], "ARIA": [], "CAMELLIA": [], "AESCCM": [],
    "PSK": ["-psk", "1a2b3c4d", "-psk_identity", "a"], "SRP": ["-srpuser", "a", "-srppass", "pass:b"],
}.items())
def test_a_kind_of_cipher_that_is_not_served_is_refused_by_itself(listener, names, options):
    kind = [name for name in run(["openssl", "ciphers", f"{names}:@SECLEVEL=0"]).stdout.strip().split(":")
            if not name.startswith("TLS_")]
    assert kind and listener("rsa").tls12(kind, *options) is None


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_the_server_s_order_counts_in_tls_1_2(listener, kind):
    server = listener(kind)
    assert server.tls12(list(reversed([name for name in served(kind) if "CHACHA" not in name]))) == served(kind)[0]
    assert server.tls12(list(reversed(served(kind)[3:]))) == served(kind)[3]
    # A client whose first choice is this one has no instructions for AES.
    assert server.tls12([served(kind)[2], served(kind)[0]]) == served(kind)[2]


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_the_client_s_order_counts_in_tls_1_3(listener, kind):
    server = listener(kind)
    for first in TLS13:
        suites = [first, *(each for each in TLS13 if each != first)]
        assert server.cipher("-tls1_3", "-ciphersuites", ":".join(suites)) == first
        assert server.cipher("-tls1_3", "-ciphersuites", first) == first


def test_nothing_is_signed_with_sha_1(listener):
    for kind in ["ec", "rsa"]:
        server = listener(kind)
        assert server.tls12(served(kind), "-sigalgs", "RSA+SHA1:ECDSA+SHA1") is None
        assert server.tls12(served(kind), "-sigalgs", "RSA+SHA256:ECDSA+SHA256") == served(kind)[0]


def test_interception_serves_the_same(intercepted):
    assert [intercepted.tls12([name]) for name in served("ec")] == served("ec")
    others = [name for name in known() if name not in served("ec") + served("rsa") and not name.startswith("TLS_")]
    assert intercepted.tls12(others) is None
    assert intercepted.tls12(list(reversed(served("ec")[:2]))) == served("ec")[0]
    assert intercepted.cipher("-tls1_3", "-ciphersuites", ":".join(TLS13)) == TLS13[0]


@pytest.mark.parametrize("allowed, left", [("ECDHE+AES256:AES256-SHA", ["AES256-GCM-SHA384", "AES256-SHA384", "AES256-SHA"]),
                                           ("DHE+AESGCM", [])])
def test_what_the_machine_s_openssl_cnf_rules_out_is_not_served(listener, tmp_path, allowed, left):
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text("openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = defaults\n"
                             f"[defaults]\nCipherString = {allowed}\n")
    server = listener("rsa", OPENSSL_CONF=str(configuration))
    assert [name for name in SERVED if server.tls12([f"ECDHE-RSA-{name}"])] == left
    assert server.tls12(["AES256-SHA", "DHE-RSA-AES128-GCM-SHA256"]) is None
    assert server.cipher("-tls1_3") in TLS13
