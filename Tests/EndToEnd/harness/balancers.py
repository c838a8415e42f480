"""Real load balancers in TCP mode, in front of the proxy: haproxy and nginx, with the PROXY protocol."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .nginx import end, program
from .waiting import PATIENCE


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=128)


class Haproxy:
    """`server` is what haproxy's configuration calls a server: an address, and options such as send-proxy-v2."""

    def __init__(self, directory: Path, server: str):
        found = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
        assert found, "haproxy is not installed: scripts/test installs it"
        directory.mkdir()
        conf = directory / "haproxy.cfg"
        with _listening() as listening:
            self.address = listening.getsockname()
            # It inherits the socket: no port has to be guessed.
            conf.write_text(f"""
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend front
    bind fd@{listening.fileno()}
    default_backend back
backend back
    server proxy {server}
""")
            os.set_blocking(listening.fileno(), False)
            self._output = open(directory / "haproxy.log", "w+")
            self._process = subprocess.Popen(
                [found, "-db", "-f", conf], stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output,
                pass_fds=[listening.fileno()])

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)
        self._output.close()


class StreamNginx:
    """nginx's stream module, with `proxy_protocol on` (version 1)."""

    def __init__(self, directory: Path, upstream: str):
        directory.mkdir()
        self.directory = directory
        module = next(Path(path) for path in ["/usr/lib/nginx/modules/ngx_stream_module.so",
                                              "/usr/share/nginx/modules/ngx_stream_module.so"] if Path(path).exists())
        with _listening() as listening:
            self.address = listening.getsockname()
            (directory / "nginx.conf").write_text(
                f"load_module {module};\ndaemon off;\nworker_processes 1;\npid {directory}/nginx.pid;\n"
                f"error_log {directory}/error.log info;\nevents {{ worker_connections 64; }}\n"
                f"stream {{ server {{ listen 127.0.0.1:{self.address[1]}; proxy_pass {upstream}; proxy_protocol on; }} }}\n")
            self._process = subprocess.Popen(
                [program(), "-p", directory, "-c", directory / "nginx.conf", "-e", directory / "error.log"],
                stdin=subprocess.DEVNULL, pass_fds=[listening.fileno()],
                env=os.environ | {"NGINX": f"{listening.fileno()};"})

    def stop(self) -> None:
        end(self._process, self.directory)
