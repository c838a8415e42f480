"""A reverse proxy in Go, from its standard library."""

import subprocess
from pathlib import Path

from ..process import Process
from ..programs import Programs
from ..site import Site
from .peer import Peer, Role


class Go(Peer):
    name = "go"

    def version(self, programs: Programs) -> str:
        said = subprocess.run([programs.need("go"), "version"], capture_output=True, text=True, timeout=10).stdout
        programs.compile_go("reverse_proxy")
        return "go/" + said.split()[2].removeprefix("go") + " ReverseProxy"

    def launch(self, site: Site, role: Role, directory: Path, port: int) -> Process:
        (directory / "token").write_text(site.token)
        arguments = ["-listen", f"127.0.0.1:{port}", "-upstream", site.origin.url(role.tls_upstream),
                     "-token-file", directory / "token", "-ca-file", site.authority.file]
        if site.access_log:
            arguments += ["-access-log", directory / "access.log"]
        return Process("go", [site.programs.compile_go("reverse_proxy"), *arguments], directory,
                       site.cores.of_proxy(role.loops), {"GOMAXPROCS": str(role.loops)})
