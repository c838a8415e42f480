"""Git's own HTTP server (`git http-backend`, a CGI program) with one bare repository, under /team/project.git."""

import http.server
import os
import subprocess
import threading
from pathlib import Path

from .output import run


class GitServer:
    def __init__(self, directory: Path):
        self.authorizations: list[str | None] = []
        self._root = directory
        self.repository = directory / "team/project.git"
        result = run(["git", "init", "--bare", "--quiet", "--initial-branch=main", str(self.repository)])
        assert result.returncode == 0, result.stderr
        run(["git", "-C", str(self.repository), "config", "http.receivepack", "true"])
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return "http://%s:%d" % self._server.server_address

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(server):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.authorizations.append(self.headers["Authorization"])
                head, content = server._answer(self, self._content())
                self.send_response(int(head.pop("Status", "200").split()[0]))
                for name, value in (head | {"Content-Length": str(len(content))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def _content(self) -> bytes:
                if self.headers["Transfer-Encoding"] != "chunked":
                    return self.rfile.read(int(self.headers["Content-Length"] or 0))
                content = b""
                while size := int(self.rfile.readline(), 16):
                    content += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return content

            def log_message(self, *_):
                pass

        return Handler

    def _answer(self, request, content: bytes) -> tuple[dict[str, str], bytes]:
        path, _, query = request.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self._root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": request.command, "CONTENT_TYPE": request.headers["Content-Type"] or "",
            "HTTP_CONTENT_ENCODING": request.headers["Content-Encoding"] or "", "CONTENT_LENGTH": str(len(content)),
            "REMOTE_USER": "somebody", "REMOTE_ADDR": "127.0.0.1", "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        result = subprocess.run(["git", "http-backend"], input=content, env=variables, capture_output=True, timeout=60)
        head, _, rest = result.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return fields, rest
