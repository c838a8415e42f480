"""A second real OAuth server: django-oauth-toolkit, with a database of its own and its client's secret hashed."""

import json
import secrets
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from .transcript import Transcript
from .waiting import PATIENCE, Changes


def _configure(database: Path) -> None:
    """Django has one configuration, and one database, for a process."""
    import django
    from django.conf import settings
    settings.configure(
        SECRET_KEY=secrets.token_hex(16), ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF="harness.django_urls", USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database),
                               "OPTIONS": {"timeout": PATIENCE}}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        MIDDLEWARE=[], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", LOGGING_CONFIG=None,
        OAUTH2_PROVIDER={"SCOPES": {"read:orders": "Read", "write:orders": "Write"}, "DEFAULT_SCOPES": ["read:orders"],
                         "ALWAYS_RELOAD_OAUTHLIB_CORE": True})
    django.setup()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class DjangoServer:
    """One for a process. Its tokens are opaque; whether one is good is asked of its own database."""

    def __init__(self, transcript: Transcript, database: Path):
        _configure(database)
        from django.core.management import call_command
        from django.core.wsgi import get_wsgi_application
        from oauth2_provider.models import get_application_model
        call_command("migrate", verbosity=0, interactive=False)
        Application = get_application_model()
        self.secret = transcript.keep_secret(secrets.token_urlsafe(32))
        self.identifier = "m2m-" + secrets.token_hex(6)
        stored = Application.objects.create(
            name="m2m", client_id=self.identifier, client_secret=self.secret, hash_client_secret=True,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
        assert stored.client_secret != self.secret, "the secret was to be hashed"
        self.replies: list[tuple[int, dict]] = []
        self._transcript = transcript
        self._changes = Changes()
        self._application = get_wsgi_application()
        self._server = make_server("127.0.0.1", 0, self._serve, _Server, _Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def _serve(self, environ, start_response):
        """Keeps what the server says, and which tokens must not be printed anywhere."""
        status = []

        def note(line, fields, *rest):
            status.append(int(line.split()[0]))
            return start_response(line, fields, *rest)

        body = b"".join(self._application(environ, note))
        reply = json.loads(body)
        if "access_token" in reply:
            self._transcript.keep_token_secret(reply["access_token"])
        with self._changes:
            self.replies.append((status[0], reply))
        return [body]

    @property
    def lifetime(self) -> int:
        from oauth2_provider.settings import oauth2_settings
        return oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS

    @lifetime.setter
    def lifetime(self, seconds: int) -> None:
        from oauth2_provider.settings import oauth2_settings
        oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS = seconds

    @property
    def tokens(self) -> list[str]:
        return [reply["access_token"] for _, reply in self.replies if "access_token" in reply]

    def accepts(self, token: str, scopes: list[str]) -> bool:
        """Whether a resource server would take the token now."""
        from oauth2_provider.models import get_access_token_model
        found = get_access_token_model().objects.filter(token=token).first()
        return found is not None and found.is_valid(scopes)

    def credential(self, **more) -> dict:
        return {"token_endpoint": f"http://127.0.0.1:{self._server.server_port}/o/token/", "client_id": self.identifier,
                "client_secret": "${DJANGO_SECRET}", **more}

    def wait_for_replies(self, count: int) -> None:
        self._changes.wait_for(lambda: len(self.replies) >= count, f"{count} replies of Django")

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()
