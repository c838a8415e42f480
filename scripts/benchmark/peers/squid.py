"""Squid as an accelerator without a cache, with a pasted token."""

import resource
import subprocess
from pathlib import Path

from ..failure import Failure
from ..process import Process
from ..programs import Programs
from ..site import Site
from .peer import Peer, Role

_CONFIGURATION = """\
http_port 127.0.0.1:{port} accel defaultsite={authority} no-vhost
cache_peer 127.0.0.1 parent {upstream_port} 0 no-query no-digest no-netdb-exchange originserver name=origin{tls}
cache_peer_access origin allow all
never_direct allow all
http_access allow all
cache deny all
request_header_access Authorization deny all
request_header_add Authorization "Bearer {token}" all
via off
forwarded_for delete
client_persistent_connections on
server_persistent_connections on
client_idle_pconn_timeout 600 seconds
server_idle_pconn_timeout 600 seconds
read_ahead_gap 64 KB
access_log {log}
buffered_logs on
cache_log {directory}/cache.log
cache_store_log none
pinger_enable off
netdb_filename none
coredump_dir none
pid_filename none
max_filedescriptors {descriptors}
shutdown_lifetime 0 seconds
"""


class Squid(Peer):
    name = "squid"

    def version(self, programs: Programs) -> str:
        said = subprocess.run([programs.need("squid"), "-v"], capture_output=True, text=True, timeout=10).stdout
        return "squid/" + said.split()[3]

    def launch(self, site: Site, role: Role, directory: Path, port: int) -> Process:
        if role.loops > 1:
            raise Failure("squid: measured with one worker only")
        tls = f" tls tls-cafile={site.authority.file} tls-default-ca=off tls-min-version=1.3 ssldomain=localhost"
        (directory / "squid.conf").write_text(_CONFIGURATION.format(
            directory=directory, port=port, descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0], token=site.token, upstream_port=site.origin.port(role.tls_upstream),
            authority=site.origin.authority(role.tls_upstream), tls=tls if role.tls_upstream else "",
            log=f"stdio:{directory}/access.log" if site.access_log else "none"))
        return Process("squid", [site.programs.need("squid"), "-N", "-f", directory / "squid.conf"], directory,
                       site.cores.of_proxy(1))
