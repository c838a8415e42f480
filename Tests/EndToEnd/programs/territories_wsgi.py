"""A WSGI server that reads PATH_INFO in the ways that programs for Python do, and says in a field for each way which
territory it leads to.

Arguments: a file for the request lines, then name=prefix for each territory. Prints its port.
"""

import ctypes
import ntpath
import posixpath
import sys
import unicodedata
from urllib.parse import unquote, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

log = open(sys.argv[1], "a", buffering=1)
territories = [argument.split("=", 1) for argument in sys.argv[2:]]


def utf8(path: str) -> str:
    return path.encode("latin-1").decode("utf-8", "ignore")


READERS = {
    "Path-Info": lambda path: path,
    "Normalized": posixpath.normpath,
    "Joined": lambda path: posixpath.normpath("/" + path.lstrip("/")),
    "Windows": lambda path: ntpath.normpath(path).replace("\\", "/"),
    # What unquotes a path that the server has unquoted already.
    "Twice": lambda path: posixpath.normpath(unquote(path, errors="ignore")),
    # What reads the bytes as UTF-8, and leaves out those that are none.
    "Lenient": lambda path: posixpath.normpath(utf8(path)),
    # What compares names in the form in which Unicode has one spelling for each.
    "Compatible": lambda path: posixpath.normpath(unicodedata.normalize("NFKC", utf8(path))),
    # What takes the path for a URL: that may have a host, parameters, a query, and line ends that do not count.
    "URL": lambda path: posixpath.normpath(urlsplit(path).path),
    # What gives the path, unquoted again, to a function in C.
    "C-String": lambda path: posixpath.normpath(ctypes.create_string_buffer(unquote(path).encode()).value.decode()),
}


def territory(read, path: str) -> str:
    try:
        path = read(path)
    except ValueError:
        return "error"
    within = [name for name, prefix in territories if path == prefix or path.startswith(prefix + "/")]
    # The longest prefix comes last.
    return (["none"] + within)[-1]


def application(environ, start_response):
    fields = [(f"X-Territory-{name}", territory(read, environ["PATH_INFO"])) for name, read in READERS.items()]
    start_response("200 OK", [*fields, ("Content-Length", "0")])
    return []


class Server(WSGIServer):
    request_queue_size = 1024


class Handler(WSGIRequestHandler):
    def log_request(self, code="-", size="-"):
        # Also of what it refuses itself.
        print(self.requestline, file=log)

    def log_message(self, format, *arguments):
        pass


with Server(("127.0.0.1", 0), Handler) as server:
    server.set_app(application)
    print("listening", server.server_port, flush=True)
    server.serve_forever()
