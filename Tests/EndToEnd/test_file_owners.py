"""Whose the files are that the proxy trusts: the key of the certificate authority, the token store, and secrets. What another
user could change, or put another file in place of, is refused, or a warning."""

import os
import re
import shutil
import stat
import struct
import tempfile
from pathlib import Path

import pytest

from harness.output import run
from harness.proxy import clean_environment

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away, and become another user")

# Users without a name; the group of each has its number.
USER, OTHER = 64001, 64002

CONF = """\
listen: 127.0.0.1:0
interception: {}
credentials:
  kinde:
    token_endpoint: http://127.0.0.1:9/oauth2/token
    client_id: some-id
    client_secret: { file: client_secret }
routes:
  - { name: orders, match: orders.example.com, forward_to: "https://a.example", audience: x, tunnel: intercept }
"""
STORE = CONF.replace("interception: {}\n", "token_store: { directory: state/tokens }\n").replace(", tunnel: intercept", "")


class Place:
    """A directory below /tmp that other users can enter, with a proxy.conf, its secret, and an authority in ca/."""

    def __init__(self, binary: Path, directory: Path):
        self.binary, self.directory = binary, directory
        self.ca, self.key = directory / "ca", directory / "ca/ca.key"
        directory.chmod(0o755)
        (directory / "proxy.conf").write_text(CONF)
        (directory / "client_secret").touch(0o600)
        (directory / "client_secret").write_text("s3cr3t\n")

    def run(self, *arguments: str, user: int | None = None, group: int | None = None, wrapper: list[str] = []):
        """Runs the binary to its end, as this user and group with no others."""
        become = []
        if user is not None:
            become = ["setpriv", "--reuid", str(user), "--regid", str(user if group is None else group), "--clear-groups", "--"]
        return run([*wrapper, *become, self.binary, *arguments], cwd=self.directory, env=clean_environment())

    def give(self, owner: int, *paths: Path, group: int | None = None) -> None:
        for path in paths:
            os.chown(path, owner, owner if group is None else group)

    def give_all(self, owner: int) -> None:
        """All of it, but not its directory."""
        self.give(owner, *self.directory.rglob("*"))

    def refused(self, words: str, **options) -> None:
        """`check` and `run` refuse the key for this, at its place in proxy.conf."""
        for verb in ["check", "run"]:
            result = self.run(verb, **options)
            assert result.returncode == 64 and result.stderr.endswith("1 problem, nothing was started.\n"), result
            said = f"proxy.conf:2:15: interception.ca_key names the file ca/ca.key, which {words}"
            assert said in result.stderr, result.stderr

    def accepted(self, **options) -> None:
        result = self.run("check", **options)
        assert result.returncode == 0 and "warning" not in result.stdout, (result.stdout, result.stderr)

    def warnings(self, **options) -> list[str]:
        result = self.run("check", **options)
        assert result.returncode == 0, result.stderr
        return re.findall("^warning  (.*)$", result.stdout, re.M)


@pytest.fixture
def bare(binary):
    directory = Path(tempfile.mkdtemp(prefix="m2m-owners-", dir="/tmp"))
    yield Place(binary, directory)
    shutil.rmtree(directory)


@pytest.fixture
def place(bare):
    result = bare.run("ca", "init")
    assert result.returncode == 0, result.stderr
    return bare


@pytest.fixture
def other_user(bare):
    """That other users can run the binary at all, wherever it is."""
    result = bare.run("--version", user=USER)
    if result.returncode != 0:
        pytest.skip(f"no other user can run {bare.binary}: {result.stderr}")


# The key of the certificate authority


@as_root
def test_a_key_of_another_user_is_refused_to_root(place):
    place.give(OTHER, place.key)
    place.refused(f"belongs to uid {OTHER}, and m2m-proxy runs as root; chown root ca/ca.key fixes that, or run m2m-proxy as {OTHER}")
    place.give(0, place.key)
    place.accepted()


@as_root
def test_a_key_is_the_process_s_users_or_root_s(place, other_user):
    place.give_all(USER)
    place.accepted(user=USER)
    place.give(OTHER, place.key)
    place.key.chmod(0o640)
    place.give(OTHER, place.key, group=USER)
    place.refused(f"belongs to uid {OTHER}, and m2m-proxy runs as uid {USER}; chown {USER} ca/ca.key fixes that", user=USER)
    place.give(0, place.ca, place.key, group=USER)
    place.ca.chmod(0o750)
    place.accepted(user=USER)


@pytest.mark.parametrize("mode, words", [
    (0o644, "is open to every user of this machine (mode 0644); chmod 600 ca/ca.key fixes that"),
    (0o602, "is open to every user of this machine (mode 0602)"),
    (0o660, "can be written by its group (mode 0660); chmod 600 ca/ca.key fixes that"),
    (0o620, "can be written by its group (mode 0620)"),
])
def test_a_key_that_others_can_read_or_write_is_refused(place, mode, words):
    place.key.chmod(mode)
    place.refused(words)


@pytest.mark.parametrize("which, word", [("ca", "in"), (".", "below")])
@pytest.mark.parametrize("mode", [0o777, 0o2777, 0o757])
def test_a_key_in_a_directory_that_all_users_can_write_is_refused(place, which, word, mode):
    directory = place.directory / which
    directory.chmod(mode)
    place.refused(f"is {word} the directory {directory}, where every user of this machine could put another one in its place "
                  f"(mode {mode:04o}); chmod go-w {directory} fixes that")
    # Only the owner of a file can remove it from such a directory.
    directory.chmod(mode | stat.S_ISVTX)
    place.accepted()


@as_root
@pytest.mark.parametrize("which, word", [("ca", "in"), (".", "below")])
def test_a_key_in_a_directory_of_another_user_is_refused(place, which, word):
    directory = place.directory / which
    for mode in [0o755, 0o1755]:
        place.give(OTHER, directory)
        directory.chmod(mode)
        place.refused(f"is {word} the directory {directory}, which belongs to uid {OTHER}, and m2m-proxy runs as root; "
                      f"run m2m-proxy as {OTHER}, or move it to a directory of root or of the user that m2m-proxy runs as")


@as_root
def test_a_group_is_another_user_unless_it_has_no_other_member(place, other_user):
    place.give_all(USER)
    place.ca.chmod(0o770)
    place.accepted(user=USER)
    # One that has a name, but not the user's.
    place.give(USER, place.ca, group=100)
    place.refused(f"is in the directory {place.ca}, where the group users (gid 100) could put another one", user=USER, group=100)
    # One that the process is not in, and that of users whom platforms for containers make up.
    for group, own in [(OTHER, USER), (0, 0)]:
        place.give(USER, place.ca, group=group)
        place.refused(f"is in the directory {place.ca}, where the group ", user=USER, group=own)


@as_root
def test_a_list_of_users_beside_the_mode_is_seen(place, other_user):
    place.give_all(USER)
    place.ca.chmod(0o750)
    # acl(5): a version, and for each entry tag, permissions and number. The mode shows the mask as that of the group.
    entries = [(0x01, 7, -1), (0x02, 7, OTHER), (0x04, 5, -1), (0x10, 7, -1), (0x20, 0, -1)]
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(place.ca, "system.posix_acl_access", value)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")
    assert stat.S_IMODE(place.ca.stat().st_mode) == 0o770
    place.refused(f"is in the directory {place.ca}, where a user or group of its access list could put another one in its "
                  f"place (mode 0770); setfacl -b {place.ca} fixes that", user=USER)


def access_list(path: Path, rights: int, group: int = 0) -> None:
    """Lets another user have `rights` (4: read, 2: write) by a list; the mode shows them as those of the group."""
    # acl(5): a version, and for each entry tag, permissions and number.
    entries = [(0x01, 6, -1), (0x02, rights, OTHER), (0x04, group, -1), (0x10, rights | group, -1), (0x20, 0, -1)]
    try:
        os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *each) for each in entries))
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")


def test_a_list_that_lets_another_user_read_or_write_the_key_is_refused(place):
    access_list(place.key, 4)
    assert stat.S_IMODE(place.key.stat().st_mode) == 0o640, "which a key may have without a list"
    words = "has an access list by which other users may be able to have it"
    place.refused(f"{words} read (mode 0640); setfacl -b ca/ca.key removes that")
    access_list(place.key, 6)
    place.refused(f"{words} written (mode 0660); setfacl -b ca/ca.key removes that")
    os.removexattr(place.key, "system.posix_acl_access")
    place.key.chmod(0o640)
    place.accepted()
    access_list(place.ca / "ca.pem", 4)
    place.accepted()
    access_list(place.ca / "ca.pem", 6)
    result = place.run("check")
    assert result.returncode == 64 and f"ca/ca.pem, which {words} written (mode 0660); setfacl -b ca/ca.pem" in result.stderr


def test_a_list_that_lets_another_user_read_a_secret_is_a_warning(place):
    access_list(place.directory / "client_secret", 4)
    assert [warning for warning in place.warnings() if "setfacl -b client_secret removes that" in warning]


def test_links_are_followed_and_what_counts_is_where_they_are_and_where_they_lead(place):
    ways = place.directory / "ways"
    ways.mkdir(mode=0o755)
    (place.directory / "proxy.conf").write_text(CONF.replace("{}", "{ ca_key: ways/ca.key, ca_certificate: ways/ca.pem }"))
    for name in ["ca.key", "ca.pem"]:
        (ways / name).symlink_to(f"../ca/{name}")
    place.accepted()
    ways.chmod(0o777)
    result = place.run("check")
    said = f"ways/ca.key, which is reached by a link in the directory {ways}, where every user of this machine could put another one"
    assert result.returncode == 64 and said in result.stderr, result.stderr
    (place.directory / "proxy.conf").write_text(CONF)
    place.ca.rename(place.directory / "real")
    place.ca.symlink_to("real")
    place.accepted()
    real = place.directory / "real"
    real.chmod(0o777)
    place.refused(f"is in the directory {real}, where every user of this machine could put another one")


@as_root
@pytest.mark.parametrize("entry", ["link", "directory"])
def test_what_another_user_can_point_elsewhere_is_refused_in_a_sticky_directory_too(place, entry):
    """The sticky bit keeps others from replacing an entry, but not its owner."""
    sticky = place.directory / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    turn = sticky / "turn"
    path = "sticky/turn/ca.key" if entry == "link" else "sticky/turn/../../ca/ca.key"
    if entry == "link":
        turn.symlink_to("../ca")
    else:
        turn.mkdir()
    (place.directory / "proxy.conf").write_text(CONF.replace("{}", f"{{ ca_key: {path}, ca_certificate: ca/ca.pem }}"))
    place.accepted()
    os.chown(turn, OTHER, OTHER, follow_symlinks=False)
    said = f"is reached by the link or directory {turn}, which belongs to"
    result = place.run("check")
    assert result.returncode == 64 and said in result.stderr, result.stderr
    # Others cannot replace it where only root may write.
    sticky.chmod(0o755)
    place.accepted()


def test_a_path_is_quoted_for_the_shell(place):
    odd = place.directory / "it's odd"
    place.ca.rename(odd)
    place.ca.symlink_to(odd)
    odd.chmod(0o777)
    place.refused(f"is in the directory {odd}, ")
    said = place.run("check").stderr
    command = re.search("; (chmod go-w .*) fixes that", said)[1]
    assert run(["sh", "-c", command]).returncode == 0
    place.accepted()


# What Kubernetes and Docker mount, in a mount namespace


@pytest.fixture
def mounted(place, other_user):
    """Runs `check` as USER after a script of mounts, as root."""
    def mounted(script: str, verb: str = "check"):
        wrapper = ["unshare", "--mount", "sh", "-ec", script + '\nexec "$@"', "sh"]
        if run([*wrapper[:3], "-ec", "true"]).returncode != 0:
            pytest.skip("no mounts of our own are to be had here")
        place.give(USER, place.directory / "client_secret")
        return place.run(verb, user=USER, wrapper=wrapper)
    return mounted


KUBERNETES = f"""
cp ca/ca.key ca/ca.pem .
mount -t tmpfs -o mode=1777 tmpfs ca
mkdir ca/..2026_11_30
mv ca.key ca.pem ca/..2026_11_30
ln -s ..2026_11_30 ca/..data
ln -s ..data/ca.key ca/ca.key
ln -s ..data/ca.pem ca/ca.pem
"""


@as_root
@pytest.mark.parametrize("details", [
    # defaultMode 0400, and 0440 with fsGroup, which makes the directories those of the group.
    f"chown {USER}:{USER} ca/..data/*; chmod 400 ca/..data/*",
    f"chown 0:{USER} ca ca/..2026_11_30 ca/..data/*; chmod 440 ca/..data/*; chmod 3777 ca; chmod 2755 ca/..2026_11_30",
    f"chown 0:{USER} ca ca/..2026_11_30 ca/..data/*; chmod 640 ca/..data/*; chmod 2777 ca ca/..2026_11_30",
])
def test_a_secret_of_kubernetes_will_do_for_the_key(mounted, details):
    result = mounted(f"{KUBERNETES}\n{details}\nmount -o remount,ro ca")
    assert result.returncode == 0 and "warning" not in result.stdout, (result.stdout, result.stderr)


@as_root
def test_a_read_only_mount_makes_directories_safe_and_not_files(mounted, place):
    bind = "mount --bind ca ca; mount -o remount,bind,ro ca"
    place.give(OTHER, place.ca)
    place.give(USER, place.key)
    place.ca.chmod(0o777)
    assert mounted(bind).returncode == 0
    place.key.chmod(0o640)
    place.give(OTHER, place.key, group=USER)
    result = mounted(bind)
    assert result.returncode == 64 and f"which belongs to uid {OTHER}" in result.stderr


# The token store


@pytest.fixture
def store(bare):
    (bare.directory / "proxy.conf").write_text(STORE)
    (bare.directory / "state").mkdir()
    (bare.directory / "state").chmod(0o755)
    return bare


def store_refused(place, words: str, **options) -> None:
    for verb in ["check", "run"]:
        result = place.run(verb, **options)
        assert result.returncode == 64 and "1 problem, nothing was started" in result.stderr, result
        # The path counts from where proxy.conf is.
        assert f"proxy.conf:2:27: token_store.directory names state/tokens, which {words}" in result.stderr, result.stderr


@pytest.mark.parametrize("there", [True, False])
def test_a_store_that_others_could_exchange_is_refused(store, there):
    state, tokens = store.directory / "state", store.directory / "state/tokens"
    if there:
        tokens.mkdir(0o700)
    state.chmod(0o777)
    store_refused(store, f"is in the directory {state}, where every user of this machine could put another one in its place "
                         f"(mode 0777); chmod go-w {state} fixes that")
    state.chmod(0o1777)
    store.accepted()
    assert tokens.exists() == there


@as_root
def test_a_store_of_another_user_is_refused_to_root_as_well(store):
    state, tokens = store.directory / "state", store.directory / "state/tokens"
    tokens.mkdir(0o700)
    store.give(OTHER, tokens)
    store_refused(store, f"belongs to uid {OTHER}, and m2m-proxy runs as root; chown root state/tokens fixes that, or run m2m-proxy "
                         f"as {OTHER}")
    store.give(0, tokens)
    store.give(OTHER, state)
    store_refused(store, f"is in the directory {state}, which belongs to uid {OTHER}, and m2m-proxy runs as root")


@as_root
@pytest.mark.parametrize("mode, group, words", [
    # A volume with fsGroup, one in memory, and one on disk.
    (0o2775, USER, None), (0o3777, USER, None), (0o1777, 0, None), (0o755, 0, "does not exist, and cannot be made: Permission denied"),
    (0o777, 0, "where every user of this machine"),
])
def test_a_volume_of_kubernetes_will_do_for_the_store_if_no_other_user_can_replace_it(store, other_user, mode, group, words):
    state, tokens = store.directory / "state", store.directory / "state/tokens"
    store.give(USER, store.directory / "client_secret")
    store.give(0, state, group=group)
    state.chmod(mode)
    result = store.run("check", user=USER)
    assert (result.returncode, words is None or words in result.stderr) == (0 if words is None else 64, True), result.stderr
    tokens.mkdir(0o700)
    store.give(USER, tokens)
    result = store.run("check", user=USER)
    assert result.returncode == (64 if mode == 0o777 else 0), result.stderr


# Secrets: what was allowed before is, with a warning


@as_root
def test_secrets_of_other_users_and_that_others_can_change_are_a_warning(place):
    secret = place.directory / "client_secret"
    subject = "proxy.conf:7:28: credentials.kinde.client_secret.file"
    assert place.warnings() == []
    secret.chmod(0o444)
    assert place.warnings() == [
        f"{subject} is open to every user of this machine (mode 0444); chmod 600 client_secret fixes that"]
    secret.chmod(0o660)
    assert place.warnings() == [f"{subject} can be written by its group (mode 0660); chmod 600 client_secret fixes that"]
    secret.chmod(0o400)
    place.give(OTHER, secret)
    assert place.warnings() == [
        f"{subject} belongs to uid {OTHER}, and m2m-proxy runs as root; chown root client_secret fixes that, or run m2m-proxy as {OTHER}"]


# m2m-proxy ca init


def modes(place) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in [place.ca, *place.ca.iterdir()]}


CLOSED = {"ca": 0o700, "ca.key": 0o600, "ca.pem": 0o644}


@pytest.mark.parametrize("directory, key", [(0o755, 0o600), (0o777, 0o666), (0o1777, 0o644), (0o700, 0o660), (0o750, 0o4755)])
def test_a_new_authority_keeps_no_wider_mode(place, directory, key):
    place.key.chmod(key)
    (place.ca / "ca.pem").chmod(0o666)
    place.ca.chmod(directory)
    result = place.run("ca", "init", "--force")
    assert result.returncode == 0 and modes(place) == CLOSED, result.stderr
    assert ("closed to other users" in result.stderr) == (directory != 0o700)
    place.accepted()


@as_root
def test_a_new_authority_is_the_user_s(place):
    place.give(OTHER, place.ca, place.key, place.ca / "ca.pem")
    result = place.run("ca", "init", "--force")
    assert result.returncode == 0 and modes(place) == CLOSED
    assert {path.stat().st_uid for path in [place.ca, *place.ca.iterdir()]} == {0}
    remedy = f"chown {OTHER} ca ca/ca.key ca/ca.pem"
    assert f"The key belonged to uid {OTHER} before, and does not now: {remedy} gives it back." in result.stdout
    assert run(["sh", "-c", remedy], cwd=place.directory).returncode == 0
    assert {path.stat().st_uid for path in [place.ca, *place.ca.iterdir()]} == {OTHER}


@as_root
def test_another_user_s_directory_is_not_written_to(place, other_user):
    place.give_all(USER)
    place.give(OTHER, place.ca)
    place.ca.chmod(0o777)
    before = place.key.read_bytes()
    result = place.run("ca", "init", "--force", user=USER)
    assert result.returncode == 73 and "Nothing was written." in result.stderr
    assert f"ca belongs to uid {OTHER}, and m2m-proxy runs as uid {USER}; chown {USER} ca fixes that" in result.stderr
    assert place.key.read_bytes() == before


def test_a_directory_with_other_files_is_left_as_it_is(bare):
    bare.ca.mkdir()
    bare.ca.chmod(0o755)
    (bare.ca / "else").write_text("x")
    result = bare.run("ca", "init")
    assert result.returncode == 73 and sorted(os.listdir(bare.ca)) == ["else"], result.stderr
    assert "its directory ca is open to other users (mode 0755); chmod 700 ca fixes that" in result.stderr
    assert "there are other files in it, such as else" in result.stderr and "interception.ca_key" in result.stderr
    assert stat.S_IMODE(bare.ca.stat().st_mode) == 0o755
    bare.ca.chmod(0o700)
    assert bare.run("ca", "init").returncode == 0


def test_no_authority_is_made_where_it_would_be_refused(bare):
    bare.directory.chmod(0o777)
    result = bare.run("ca", "init")
    assert result.returncode == 73 and f"is in the directory {bare.directory}, where every user" in result.stderr
    assert list(bare.ca.iterdir()) == []
