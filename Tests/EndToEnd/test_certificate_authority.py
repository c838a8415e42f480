"""m2m-proxy ca: the authority that it makes, what others say about it, and what becomes of one that cannot be used."""

import datetime
import http.server
import ipaddress
import os
import re
import shutil
import ssl
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.java import proxy_options, trust_options
from harness.output import run
from harness.proxy import clean_environment

CONF = """\
listen: 127.0.0.1:0
admin: 127.0.0.1:0
interception: {}
credentials:
  kinde:
    token_endpoint: http://127.0.0.1:9/oauth2/token
    client_id: some-id
    client_secret: ${CLIENT_SECRET}
routes:
  - { name: orders, match: [orders.example.com, "127.0.0.1:8443"], forward_to: "https://a.example", tunnel: intercept }
  - { name: shops, match: "*.shops.example.com", tunnel: intercept }
  - { name: plain, match: plain.example.com }
"""

NAMES_ONLY = CONF.replace('[orders.example.com, "127.0.0.1:8443"]', "orders.example.com")
DAY = datetime.timedelta(days=1)


@pytest.fixture
def command(binary, tmp_path):
    """Runs the binary to its end, in a directory with `conf` as proxy.conf."""
    def execute(*arguments: str, conf: str = CONF, wrapper: list[str] = []):
        (tmp_path / "proxy.conf").write_text(conf)
        return run([*wrapper, str(binary), *arguments], cwd=tmp_path, env=clean_environment(CLIENT_SECRET="from-a-test"))
    return execute


@pytest.fixture
def made(command, tmp_path):
    """The directory of an authority for CONF."""
    result = command("ca", "init")
    assert result.returncode == 0, result.stderr
    return tmp_path / "ca"


def certificates(directory) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates((directory / "ca.pem").read_bytes())


def constraints(certificate: x509.Certificate):
    extension = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert extension.critical
    return [[name.value for name in names or []]
            for names in (extension.value.permitted_subtrees, extension.value.excluded_subtrees)]


def refusal(command, verb: str = "check", **options) -> str:
    """What is said of a configuration that is refused for its authority."""
    result = command(verb, **options)
    assert result.returncode == 64 and "ready in" not in result.stderr, (result.stdout, result.stderr)
    assert result.stderr.endswith("nothing was started.\n")
    return result.stderr


def own_authority(directory, *, name="own CA", days=100, ca=True, key=None, issuer=None):
    """The operator's own authority in the files that proxy.conf names; `issuer` is a certificate and its key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(issuer[0].subject if issuer else subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 200 * DAY).not_valid_after(now + days * DAY)
        .add_extension(x509.BasicConstraints(ca, None), True)
        .sign(issuer[1] if issuer else key, hashes.SHA256()))
    directory.mkdir(exist_ok=True)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (directory / "ca.pem").write_bytes(pem + (issuer[0].public_bytes(serialization.Encoding.PEM) if issuer else b""))
    write_key(directory, key)
    return certificate, key


def write_key(directory, key, encryption=serialization.NoEncryption()):
    path = directory / "ca.key"
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))


# ca init


def test_init_makes_an_authority_for_the_hosts_that_are_intercepted(command, tmp_path):
    result = command("ca", "init")
    assert result.returncode == 0, result.stderr
    directory = tmp_path / "ca"
    assert stat.S_IMODE((directory / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((directory / "ca.pem").stat().st_mode) == 0o644
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert sorted(os.listdir(directory)) == ["ca.key", "ca.pem"]
    issuer, root = certificates(directory)
    now = datetime.datetime.now(datetime.timezone.utc)
    for certificate, length in [(issuer, 0), (root, 1)]:
        permitted, excluded = constraints(certificate)
        assert permitted == ["orders.example.com", "shops.example.com", ipaddress.ip_network("127.0.0.1/32")]
        assert excluded == [], "Java fails over ::/0 beside an address of IPv4"
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert basic.critical and basic.value == x509.BasicConstraints(True, length)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign and not usage.value.digital_signature
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
        assert isinstance(certificate.public_key().curve, ec.SECP256R1)
        assert abs(certificate.not_valid_after_utc - now - 3650 * DAY) < DAY
    key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
    assert key.public_key() == issuer.public_key()
    name = root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert re.fullmatch(r"m2m-proxy CA \(.+, \d{4}-\d\d-\d\d, [0-9a-f]{8}\)", name)
    fingerprint = ":".join(f"{byte:02X}" for byte in root.fingerprint(hashes.SHA256()))
    for word in [name, fingerprint, "orders.example.com and below it", "127.0.0.1", "ca trust"]:
        assert word in result.stdout
    assert command("check").returncode == 0 and name in command("check").stdout


def test_two_authorities_of_one_day_have_different_names(command, tmp_path):
    names = []
    for _ in range(2):
        assert command("ca", "init", "--force").returncode == 0
        names += [certificate.subject.rfc4514_string() for certificate in certificates(tmp_path / "ca")]
    assert len(set(names)) == 4, names


def test_an_authority_with_rsa_keys_for_programs_that_take_nothing_else(command, tmp_path):
    result = command("ca", "init", "--key", "rsa-3072")
    assert result.returncode == 0 and "RSA, 3,072 bits" in result.stdout, result.stderr
    for certificate in certificates(tmp_path / "ca"):
        assert certificate.public_key().key_size == 3072
    assert command("check").returncode == 0
    refused = command("ca", "init", "--key", "rsa-1024")
    assert refused.returncode == 64 and "p-256" in refused.stderr and "rsa-3072" in refused.stderr


def test_without_addresses_the_authority_is_for_none(command, tmp_path):
    assert command("ca", "init", conf=NAMES_ONLY).returncode == 0
    for certificate in certificates(tmp_path / "ca"):
        assert constraints(certificate)[1] == [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]


def test_openssl_finds_nothing_wrong_with_it(made):
    issuer, root = certificates(made)
    for name, certificate in [("issuer", issuer), ("root", root)]:
        (made / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    result = run(["openssl", "verify", "-x509_strict", "-CAfile", made / "root", made / "issuer"])
    assert result.returncode == 0, result.stderr
    text = run(["openssl", "x509", "-in", made / "root", "-noout", "-text"]).stdout
    for words in ["Name Constraints: critical", "CA:TRUE, pathlen:1", "Certificate Sign, CRL Sign"]:
        assert words in text


def test_init_leaves_an_authority_as_it_is_unless_it_is_forced(command, made):
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    result = command("ca", "init")
    assert result.returncode == 73 and "ca/ca.key is there already" in result.stderr and "--force" in result.stderr
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before
    (made / "ca.key").unlink()
    assert command("ca", "init").returncode == 73, "a certificate alone is not overwritten either"
    assert sorted(os.listdir(made)) == ["ca.pem"]
    (made / "ca.key").write_bytes(before["ca.key"])
    (made / "ca.key").chmod(0o640)
    made.chmod(0o755)
    result = command("ca", "init", "--force")
    assert result.returncode == 0 and "restart" in result.stdout
    after = {path.name: path.read_bytes() for path in made.iterdir()}
    assert after.keys() == before.keys() and all(after[name] != before[name] for name in before)
    # Those that could read the key before cannot read the new one.
    assert stat.S_IMODE((made / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(made.stat().st_mode) == 0o700 and "ca is closed to other users now" in result.stderr
    assert command("check").returncode == 0


@pytest.mark.parametrize("written, days", [("1d", 1), ("48h", 2), ("36500d", 36500)])
def test_init_with_another_lifetime(command, tmp_path, written, days):
    assert command("ca", "init", "--lifetime", written).returncode == 0
    end = certificates(tmp_path / "ca")[0].not_valid_after_utc
    assert abs(end - datetime.datetime.now(datetime.timezone.utc) - days * DAY) < datetime.timedelta(minutes=5)


@pytest.mark.parametrize("written", ["0d", "36501d", "10", "1y", "", "-1d"])
def test_init_refuses_a_lifetime_that_is_none(command, tmp_path, written):
    result = command("ca", "init", f"--lifetime={written}")
    assert result.returncode == 64 and "from 1d to 36500d" in result.stderr
    assert not (tmp_path / "ca").exists()


def test_init_needs_a_host_or_no_constraints(command, tmp_path):
    conf = CONF.replace(", tunnel: intercept", "")
    result = command("ca", "init", conf=conf)
    assert result.returncode == 64 and 'no route in proxy.conf says "tunnel: intercept"' in result.stderr
    result = command("ca", "init", "--unconstrained", conf=conf)
    assert result.returncode == 0 and "an attacker with the key can pass for all of them" in result.stdout
    for certificate in certificates(tmp_path / "ca"):
        with pytest.raises(x509.ExtensionNotFound):
            certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert command("check").returncode == 0


def test_without_the_section_there_is_no_authority(command):
    conf = CONF.replace("interception: {}\n", "").replace(", tunnel: intercept", "")
    for arguments in [["init"], ["trust"], ["export"], ["bundle"]]:
        result = command("ca", *arguments, conf=conf)
        assert result.returncode == 64 and '"interception: {}"' in result.stderr


def test_init_where_nothing_can_be_written_says_so(command, tmp_path):
    (tmp_path / "ca").write_text("a file")
    result = command("ca", "init")
    assert result.returncode == 73 and "the directory ca cannot be made or opened: a part of that path is a file" in result.stderr


# check and run


@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_missing_authority_is_named_with_the_remedy(command, verb):
    said = refusal(command, verb)
    assert 'proxy.conf:3:15: interception.ca_certificate names the file ca/ca.pem' in said
    assert "No such file or directory" in said and '"m2m-proxy ca init --config proxy.conf" makes one' in said


@pytest.mark.parametrize("verb", ["check", "run"])
def test_an_authority_that_has_expired_is_refused(command, tmp_path, verb):
    own_authority(tmp_path / "ca", days=-1)
    said = refusal(command, verb)
    assert "which expired on 20" in said and '"m2m-proxy ca init --force --config proxy.conf"' in said and "ca trust" in said


def test_an_authority_that_expires_soon_is_a_warning(command, tmp_path, start_proxy, tls_origin):
    own_authority(tmp_path / "ca", days=29)
    result = command("check")
    assert result.returncode == 0 and re.search(r"^warning  .*ca/ca\.pem, which expires on 20", result.stdout, re.M)
    route = {"forward_to": tls_origin.url, "match": "api.internal", "tunnel": "intercept"}
    files = {"ca_certificate": str(tmp_path / "ca/ca.pem"), "ca_key": str(tmp_path / "ca/ca.key")}
    messages = start_proxy(route, interception=files).messages.text
    assert "which expires on 20" in messages and re.search("^ca +own CA   until 20", messages, re.M)
    own_authority(tmp_path / "ca", days=31)
    assert "expires" not in command("check").stdout


def test_a_host_that_came_later_is_named_with_the_remedy(command, made):
    conf = CONF.replace("[orders.example.com,", "[orders.example.com, new.example.com,").replace(
        '"*.shops.example.com"', '["*.shops.example.com", "*.example.com"]')
    for verb in ["check", "run"]:
        said = refusal(command, verb, conf=conf)
        for name, route in [("new.example.com", "orders"), (r"\*.example.com", "shops")]:
            assert re.search(rf"do not permit {name} of the route {route}; \"m2m-proxy ca init --force --config proxy.conf\"", said), said
        assert "2 problems" in said
    assert command("ca", "init", "--force", conf=conf).returncode == 0
    assert command("check", conf=conf).returncode == 0


def test_a_key_that_cannot_be_used_is_refused(command, made):
    (made / "ca.key").chmod(0o644)
    assert "interception.ca_key names the file ca/ca.key, which is open to every user" in refusal(command)
    key = ec.generate_private_key(ec.SECP256R1())
    write_key(made, key)
    assert "holds a key that does not belong to the certificate in ca/ca.pem" in refusal(command)
    write_key(made, key, serialization.BestAvailableEncryption(b"secret"))
    assert "holds an encrypted key" in refusal(command)
    (made / "ca.key").unlink()
    assert "ca/ca.key, which cannot be read: No such file" in refusal(command)


def test_a_certificate_that_is_no_authority_is_refused(command, tmp_path):
    own_authority(tmp_path / "ca", ca=False)
    assert "CN=own CA, which is not that of a certificate authority" in refusal(command)
    (tmp_path / "ca/ca.pem").write_text("nothing")
    assert "holds no certificate in PEM form" in refusal(command)


def test_an_authority_below_a_root_of_ones_own_will_do(command, tmp_path):
    root = own_authority(tmp_path / "ca", name="own root")
    own_authority(tmp_path / "ca", name="own issuer", issuer=root)
    assert command("check").returncode == 0
    assert x509.load_pem_x509_certificate(command("ca", "export").stdout.encode()) == root[0]
    issuer = certificates(tmp_path / "ca")[0]
    (tmp_path / "ca/ca.pem").write_bytes(issuer.public_bytes(serialization.Encoding.PEM))
    assert command("check").returncode == 0, "clients have the root"
    result = command("ca", "export")
    assert result.returncode == 64 and "which is not a root" in result.stderr


# Whose root it is that others are to trust


COMMANDS = [["export"], ["bundle"], ["trust"]]


def pem(certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def mallory(directory, made):
    """A foreign root, and a certificate by which it vouches for the key of our authority."""
    root, key = own_authority(directory / "mallory", name="mallory")
    ours = certificates(made)[0]
    now = datetime.datetime.now(datetime.timezone.utc)
    vouching = (
        x509.CertificateBuilder(root.subject, ours.subject, ours.public_key()).serial_number(1)
        .not_valid_before(now - DAY).not_valid_after(now + DAY).add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256()))
    return vouching, root


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_root_is_handed_out_that_is_not_the_authoritys(command, made, tmp_path, two_roots, arguments):
    vouching, root = mallory(tmp_path, made)
    own = (made / "ca.pem").read_bytes()
    (made / "ca.pem").write_bytes(own + pem(root))
    result = command("ca", *arguments)
    said = "holds the certificate CN=mallory, which did not issue the one before it"
    assert (result.returncode, result.stdout) == (64, "") and said in result.stderr, result
    # The chain of another key.
    other, key = own_authority(tmp_path / "other", name="other", issuer=None)
    (made / "ca.pem").write_bytes(pem(other))
    result = command("ca", *arguments)
    said = "file ca/ca.key holds a key that does not belong to the certificate in ca/ca.pem"
    assert (result.returncode, result.stdout) == (64, "") and said in result.stderr, result


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_certificate_that_others_can_change_is_not_trusted(command, made, tmp_path, two_roots, arguments):
    # A valid chain, which a user who can write the file can make.
    vouching, root = mallory(tmp_path, made)
    certificate = made / "ca.pem"
    certificate.write_bytes(pem(vouching) + pem(root))
    certificate.chmod(0o666)
    said = "file ca/ca.pem can be written by every user of this machine (mode 0666); chmod go-w ca/ca.pem fixes that"
    for more in [], ["--certificate", "ca/ca.pem"]:
        result = command("ca", *arguments, *more)
        assert (result.returncode, result.stdout) == (64, "") and said in result.stderr, result
    assert "interception.ca_certificate names the file ca/ca.pem, which can be written by every user" in refusal(command)
    certificate.chmod(0o644)
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    shutil.copy(certificate, directory / "ca.pem")
    directory.chmod(0o777)
    conf = CONF.replace("{}", "{ ca_certificate: elsewhere/ca.pem, ca_key: ca/ca.key }")
    result = command("ca", *arguments, conf=conf)
    said = f"is in the directory {directory}, where every user of this machine could put another one in its place"
    assert (result.returncode, result.stdout) == (64, "") and said in result.stderr, result
    assert f"interception.ca_certificate names the file elsewhere/ca.pem, which {said}" in refusal(command, conf=conf)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_may_hand_out_what_belongs_to_the_user_of_the_service(command, made):
    for path in [made, *made.iterdir()]:
        os.chown(path, 64001, 64001)
    assert command("ca", "export").returncode == 0
    assert "which belongs to uid 64001" in refusal(command)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_the_hosts_that_it_permits_are_shown(command, made, two_roots, arguments):
    result = command("ca", *arguments)
    said = "for orders.example.com and below it, shops.example.com and below it, 127.0.0.1\n"
    assert result.returncode == 0 and said in result.stdout + result.stderr, result
    assert command("ca", "init", "--force", "--unconstrained").returncode == 0
    result = command("ca", *arguments)
    assert result.returncode == 0 and "for any host!" in result.stdout + result.stderr, result


def test_bundle_takes_no_roots_from_a_file_that_others_can_write(command, made, two_roots):
    two_roots.chmod(0o666)
    result = command("ca", "bundle", "--roots", str(two_roots))
    assert (result.returncode, result.stdout) == (66, "") and "can be written by every user" in result.stderr


# A new authority is there as a whole, or the old one


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_a_certificate_that_cannot_be_placed_leaves_the_old_key(command, made):
    before = files(made)
    (made / "ca.pem").unlink()
    (made / "ca.pem").mkdir()
    result = command("ca", "init", "--force")
    assert result.returncode == 73 and "ca/ca.pem cannot be written: Is a directory" in result.stderr
    assert "Key and certificate are as they were before." in result.stderr
    assert files(made) == {"ca.key": before["ca.key"]}, "and nothing else is left behind"
    assert stat.S_IMODE((made / "ca.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("there", [True, False], ids=["an old one", "the first one"])
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="it takes root and unshare to mount")
def test_a_full_disk_leaves_the_old_key_or_none(command, tmp_path, there):
    keys, full = tmp_path / "keys", tmp_path / "full"
    full.mkdir()
    conf = CONF.replace("{}", "{ ca_certificate: full/ca.pem, ca_key: keys/ca.key }")
    if there:
        assert command("ca", "init", conf=conf).returncode == 0
    before = files(keys) if there else {}
    script = f'mount -t tmpfs -o size=4k tmpfs {full}; yes > {full}/x 2>/dev/null || true; "$@"'
    result = command("ca", "init", "--force", conf=conf, wrapper=["unshare", "--mount", "sh", "-c", script, "sh"])
    assert result.returncode == 73 and "full/ca.pem cannot be written: No space left on device" in result.stderr
    assert files(keys) == before


def test_a_first_authority_without_a_directory_for_its_certificate_has_no_key(command, tmp_path):
    conf = CONF.replace("{}", "{ ca_certificate: no/where/ca.pem, ca_key: keys/ca.key }")
    result = command("ca", "init", conf=conf)
    assert result.returncode == 73 and "there is no directory no; make that first (mkdir -p no)" in result.stderr
    assert files(tmp_path / "keys") == {}


# ca export, ca bundle


def test_export_writes_the_root(command, made, tmp_path):
    root = certificates(made)[1]
    assert x509.load_pem_x509_certificate(command("ca", "export").stdout.encode()) == root
    result = command("ca", "export", "--der", "--out", "root.der")
    assert result.returncode == 0 and "root.der" in result.stderr
    assert x509.load_der_x509_certificate((tmp_path / "root.der").read_bytes()) == root
    elsewhere = command("ca", "export", "--certificate", str(made / "ca.pem"), conf="nothing: 1\n")
    assert x509.load_pem_x509_certificate(elsewhere.stdout.encode()) == root
    assert command("ca", "export", "--out", "no/where").returncode == 73
    missing = command("ca", "export", "--certificate", "nowhere.pem")
    assert missing.returncode == 64 and "nowhere.pem cannot be read" in missing.stderr


def test_bundle_is_the_systems_roots_and_ours(command, made, tmp_path, two_roots):
    roots = two_roots
    result = command("ca", "bundle", "--roots", str(roots), "--out", "bundle.pem")
    assert result.returncode == 0, result.stderr
    found = x509.load_pem_x509_certificates((tmp_path / "bundle.pem").read_bytes())
    assert found == [certificates(made)[1], *x509.load_pem_x509_certificates(roots.read_bytes())]
    context = ssl.create_default_context(cafile=str(tmp_path / "bundle.pem"))
    assert context.cert_store_stats()["x509_ca"] == len(found)
    again = command("ca", "bundle", "--roots", "bundle.pem")
    assert x509.load_pem_x509_certificates(again.stdout.encode()) == found, "ours is there once"
    nothing = command("ca", "bundle", "--roots", "proxy.conf")
    assert nothing.returncode == 66 and "holds no other certificate" in nothing.stderr


@pytest.fixture
def two_roots(tmp_path):
    """Two roots."""
    pems = []
    for name in ["one", "two"]:
        own_authority(tmp_path / name, name=name)
        pems.append((tmp_path / name / "ca.pem").read_bytes())
    path = tmp_path / "roots.pem"
    path.write_bytes(b"".join(pems))
    return path


# ca trust


def test_trust_shows_what_each_program_needs(command, made):
    said = command("ca", "trust").stdout
    for word in ["update-ca-certificates", "update-ca-trust", "keytool -importcert", "NODE_EXTRA_CA_CERTS=",
                 "REQUESTS_CA_BUNDLE=", "SSL_CERT_FILE=", "CURL_CA_BUNDLE=", "--cacert", "ca export", "ca bundle", "--ca-certificate=",
                 "GIT_SSL_CAINFO=", "PERL_LWP_SSL_CA_FILE=", "curl.cainfo ="]:
        assert word in said


@pytest.mark.skipif(not shutil.which("keytool"), reason="there is no keytool")
def test_trust_adds_the_root_to_a_java_keystore_and_shows_how_to_remove_it(command, made, own_system, tmp_path):
    keystore = tmp_path / "cacerts"
    listing = ["keytool", "-list", "-keystore", str(keystore), "-storepass", "changeit", "-alias", "m2m-proxy"]
    for _ in range(2):
        result = command("ca", "trust", "--apply", "--java-keystore", str(keystore), wrapper=own_system)
        assert result.returncode == 0, result.stderr
        assert run(listing).returncode == 0
    undo = re.findall(rf"^undo +(.* -keystore {re.escape(str(keystore))} .*)$", result.stdout, re.M)
    assert len(undo) == 1
    assert run(["sh", "-c", undo[0]]).returncode == 0
    assert run(listing).returncode != 0


@pytest.mark.skipif(not shutil.which("update-ca-certificates"), reason="this is no Debian")
def test_trust_adds_the_root_to_the_system_and_shows_how_to_undo_it(command, made, own_system, tmp_path):
    result = command("ca", "trust", "--apply", wrapper=own_system)
    assert result.returncode == 0, result.stderr
    written = tmp_path / "system/local/m2m-proxy.crt"
    bundle = tmp_path / "system/ssl/certs/ca-certificates.crt"
    assert x509.load_pem_x509_certificate(written.read_bytes()) == certificates(made)[1]
    assert written.read_text() in bundle.read_text()
    java = ["keytool", "-list", "-keystore", str(tmp_path / "system/ssl/certs/java/cacerts"), "-storepass", "changeit"]
    has_java = shutil.which("keytool") and os.path.exists(java[3])
    assert not has_java or "m2m-proxy.pem" in run(java).stdout
    for undo in re.findall(r"^undo +(.*)$", result.stdout, re.M):
        assert run([*own_system, "sh", "-c", undo]).returncode == 0
    assert not written.exists() and "m2m-proxy.pem" not in os.listdir(tmp_path / "system/ssl/certs")
    assert not has_java or "m2m-proxy.pem" not in run(java).stdout


@pytest.fixture
def own_system(tmp_path):
    """What runs a command as root of a system whose authorities are a copy."""
    system = tmp_path / "system"
    (system / "local").mkdir(parents=True)
    shutil.copytree("/etc/ssl", system / "ssl", symlinks=True, ignore=shutil.ignore_patterns("private"))
    wrapper = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec",
               f'mount --bind {system}/local /usr/local/share/ca-certificates; mount --bind {system}/ssl /etc/ssl; "$@"',
               "sh"]
    if subprocess.run([*wrapper, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mounts of our own are to be had here")
    return wrapper


# The certificates of hosts, as programs see them that trust the root of "ca init"


@pytest.fixture
def intercepting(command, start_proxy, origin, tmp_path):
    """A proxy that intercepts api.internal and 127.0.0.9, and the file of the root to trust."""
    conf = CONF.replace("[orders.example.com, \"127.0.0.1:8443\"]", "[api.internal, 127.0.0.9]")
    assert command("ca", "init", conf=conf).returncode == 0
    assert command("ca", "export", "--out", "root.pem", conf=conf).returncode == 0
    files = {"ca_certificate": str(tmp_path / "ca/ca.pem"), "ca_key": str(tmp_path / "ca/ca.key"), "leaf_lifetime": "36h"}
    route = {"match": ["api.internal", "127.0.0.9"], "forward_to": origin.url, "tunnel": "intercept"}
    return start_proxy(route, interception=files), tmp_path / "root.pem"


def s_client(proxy, root, host):
    address = "%s:%d" % proxy.address
    name = ["-verify_ip", host] if host[0].isdigit() else ["-verify_hostname", host, "-servername", host]
    return run(["openssl", "s_client", "-proxy", address, "-connect", f"{host}:443", "-CAfile", str(root), *name,
                "-x509_strict", "-verify_return_error", "-showcerts"], input="", env=clean_environment())


@pytest.mark.parametrize("host", ["api.internal", "127.0.0.9"])
def test_openssl_verifies_the_certificate_of_a_host(intercepting, host):
    proxy, root = intercepting
    result = s_client(proxy, root, host)
    assert "Verify return code: 0 (ok)" in result.stdout, result.stdout + result.stderr
    leaf, issuer = x509.load_pem_x509_certificates(result.stdout.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    expected = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    assert list(names) == [expected]
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == datetime.timedelta(hours=36 + 6)
    assert 2**64 < leaf.serial_number < 2**128
    leaf.verify_directly_issued_by(issuer)


def test_openssl_refuses_it_without_the_root(intercepting, tmp_path):
    proxy, _ = intercepting
    own_authority(tmp_path / "other", name="other")
    assert "Verify return code: 0" not in s_client(proxy, tmp_path / "other/ca.pem", "api.internal").stdout


@pytest.mark.skipif(not shutil.which("keytool"), reason="there is no Java")
def test_java_accepts_it_with_the_root_in_its_keystore(intercepting, tmp_path):
    proxy, root = intercepting
    program = Path(__file__).parent / "programs/Fetch.java"
    result = run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", *proxy_options(proxy, "https"),
                  *trust_options(tmp_path / "keystore", root), str(program), "text", "https://api.internal/orders"],
                 env=clean_environment())
    assert result.stdout.splitlines()[:1] == ["GET 200 ok"], result.stderr


def server_context(directory, host) -> ssl.SSLContext:
    """A server with a certificate for `host` that an attacker with the key of the authority made."""
    issuer = certificates(directory)[0]
    authority_key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    leaf = (x509.CertificateBuilder(issuer.subject, x509.Name([]), key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - DAY / 24).not_valid_after(now + DAY)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), True)
            .sign(authority_key, hashes.SHA256()))
    file = directory / "forged.pem"
    file.write_bytes(b"".join(
        [leaf.public_bytes(serialization.Encoding.PEM), issuer.public_bytes(serialization.Encoding.PEM),
         key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.skipif(not shutil.which("keytool"), reason="there is no Java")
@pytest.mark.parametrize("permitted", [True, False])
def test_a_stolen_key_passes_for_no_other_host_to_java(command, made, tmp_path, permitted):
    """Java does not heed the name constraints of a root: those of the issuer below it are what binds it."""
    host = "localhost"
    conf = CONF.replace("orders.example.com", host) if permitted else CONF
    if permitted:
        assert command("ca", "init", "--force", conf=conf).returncode == 0
    assert command("ca", "export", "--out", "root.pem", conf=conf).returncode == 0
    trust = trust_options(tmp_path / "keystore", tmp_path / "root.pem")
    with Forger(server_context(made, host)) as forger:
        program = Path(__file__).parent / "programs/Fetch.java"
        result = run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", *trust, str(program), "text",
                      f"https://{host}:{forger.port}/"], env=clean_environment())
    if permitted:
        assert result.stdout.splitlines()[:1] == ["GET 200 ok"], result.stderr
    else:
        assert "SSLHandshakeException" in result.stderr and "GET" not in result.stdout


class Forger:
    """An https server on loopback that answers every request with "ok"."""

    def __init__(self, context: ssl.SSLContext):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
