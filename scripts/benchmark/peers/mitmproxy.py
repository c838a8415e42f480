"""mitmproxy, which intercepts as m2m-proxy does; it is only asked how much memory that takes."""

import subprocess
from pathlib import Path

from ..process import Process
from ..programs import Programs
from ..site import Site
from .peer import Peer, Role


class Mitmproxy(Peer):
    name = "mitmproxy"
    intercepts = True

    def version(self, programs: Programs) -> str:
        said = subprocess.run([programs.need("mitmdump"), "--version"], capture_output=True, text=True, timeout=30).stdout
        return "mitmproxy/" + said.split()[1]

    def launch(self, site: Site, role: Role, directory: Path, port: int) -> Process:
        options = {"confdir": directory / "ca", "ssl_verify_upstream_trusted_ca": site.authority.file, "flow_detail": 0,
                   "modify_headers": f"/~q/Authorization/Bearer {site.token}"}
        return Process(
            "mitmproxy", [site.programs.need("mitmdump"), "--listen-host", "127.0.0.1", "--listen-port", port,
                          *(part for name, value in options.items() for part in ["--set", f"{name}={value}"])],
            directory, site.cores.of_proxy(1))
