"""A real OAuth server: Authlib's AuthorizationServer on Flask, with switches for the faults that tests need."""

import secrets
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Callable

import joserfc.jwk
import joserfc.jwt
import jwt
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc6749.errors import InvalidClientError, UnauthorizedClientError
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from flask import Flask, Response, request
from joserfc.errors import JoseError
from werkzeug.http import http_date
from werkzeug.serving import WSGIRequestHandler, make_server

from .transcript import Transcript
from .waiting import PATIENCE, Changes


@dataclass
class Fetch:
    """One request for a token, as the server saw it."""

    authentication: str
    form: dict[str, list[str]]
    fields: dict[str, str]

    @property
    def audience(self) -> str | None:
        return self.form.get("audience", [None])[0]

    @property
    def scope(self) -> str | None:
        return self.form.get("scope", [None])[0]


@dataclass
class Client(ClientMixin):
    identifier: str
    secret: str
    methods: set[str] = field(default_factory=lambda: {"client_secret_post", "client_secret_basic"})
    grant_types: set[str] = field(default_factory=lambda: {"client_credentials"})
    refused_audiences: set[str] = field(default_factory=set)
    public_key: str | None = None
    """In PEM form, for private_key_jwt."""

    def get_client_id(self):
        return self.identifier

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_client_secret(self, client_secret):
        return secrets.compare_digest(self.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method, endpoint):
        return method in self.methods

    def check_grant_type(self, grant_type):
        return grant_type in self.grant_types


_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class _Assertions(JWTBearerClientAssertion):
    """private_key_jwt: Authlib checks signature and claims, and that no assertion is used twice."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self, server: "AuthlibServer"):
        super().__init__(leeway=5)
        self._server = server
        self._used: set[str] = set()

    def __call__(self, query_client, request):
        # Authlib tries one method after the other, and this one refuses what another one is for.
        if self.CLIENT_AUTH_METHOD in self._server.client.methods:
            return super().__call__(query_client, request)

    def get_audiences(self):
        return [self._server.assertion_audience or self._server.token_endpoint]

    def validate_jti(self, claims, jti):
        is_new = jti not in self._used
        self._used.add(jti)
        return is_new

    def resolve_client_public_key(self, client):
        key = serialization.load_pem_public_key(client.public_key.encode())
        kinds = {rsa.RSAPublicKey: joserfc.jwk.RSAKey, ed25519.Ed25519PublicKey: joserfc.jwk.OKPKey}
        kind = next((kind for type, kind in kinds.items() if isinstance(key, type)), joserfc.jwk.ECKey)
        return kind.import_key(client.public_key)

    def process_assertion_claims(self, assertion, key):
        # As inherited, but for the algorithms that Authlib accepts only if they are enabled.
        try:
            token = joserfc.jwt.decode(assertion, key, algorithms=_ALGORITHMS)
        except JoseError as error:
            raise InvalidClientError(description=error.description) from error
        self.verify_claims(token.claims)
        return token.claims

    def verify_claims(self, claims):
        now = int(time.time()) + self._server.clock_ahead
        try:
            joserfc.jwt.JWTClaimsRegistry(now=now, leeway=self.leeway).validate(claims)
        except JoseError as error:
            raise InvalidClientError(description=error.description) from error
        if self._server.clock_ahead == 0:
            super().verify_claims(claims)


@dataclass
class Issuer:
    """Whose assertions the server takes for those of its client: a cluster of Kubernetes, a tenant, a trust domain."""

    name: str
    subject: str
    audience: str
    keys: joserfc.jwk.KeySet


class _FederatedAssertions(_Assertions):
    """Assertions that another issuer has signed, in the name of the client (RFC 7523 section 3; RFC 7521 section 4.2)."""

    CLIENT_AUTH_METHOD = "client_assertion"

    def __call__(self, query_client, request):
        form = request.form
        if self.CLIENT_AUTH_METHOD not in self._server.client.methods or "client_assertion" not in form:
            return None
        client = query_client(form.get("client_id"))
        if not client or form.get("client_assertion_type") != self.CLIENT_ASSERTION_TYPE:
            raise InvalidClientError(description="Unknown client, or type of assertion.")
        self.process_assertion_claims(form["client_assertion"], self._server.issuer.keys)
        return self.authenticate_client(client)

    def verify_claims(self, claims):
        issuer = self._server.issuer
        rules = joserfc.jwt.JWTClaimsRegistry(
            leeway=self.leeway, iss={"essential": True, "value": issuer.name},
            sub={"essential": True, "value": issuer.subject}, aud={"essential": True, "value": issuer.audience},
            exp={"essential": True})
        try:
            rules.validate(claims)
        except JoseError as error:
            raise InvalidClientError(description=error.description) from error


def _tls_client_auth(query_client, request):
    """RFC 8705 behind an nginx that terminates TLS and says whose certificate it has verified."""
    client = query_client(request.form.get("client_id"))
    subject = request.headers.get("X-Verified-Subject")
    if client and subject == f"CN={client.identifier}" and client.check_endpoint_auth_method("tls_client_auth", "token"):
        return client


class _ClientCredentials(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = [
        "client_secret_post", "client_secret_basic", "private_key_jwt", "client_assertion", "tls_client_auth"]

    def validate_token_request(self):
        super().validate_token_request()
        if request.form.get("audience") in self.request.client.refused_audiences:
            raise UnauthorizedClientError("The client is not authorized for this audience.")


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


class AuthlibServer:
    def __init__(self, transcript: Transcript, tls: ssl.SSLContext | None = None):
        self.client = Client("m2m-" + secrets.token_hex(6), transcript.keep_secret(secrets.token_urlsafe(32)))
        self.lifetime: int = 3600
        self.opaque = False
        self.fetches: list[Fetch] = []
        self.tokens: list[str] = []
        self.assertion_audience: str | None = None
        """What the server calls itself in assertions, if not by its token endpoint."""
        self.issuer: Issuer | None = None
        """Whose assertions it takes, for client_assertion."""
        self.clock_ahead = 0
        """Seconds by which its clock is ahead of this machine's, in `Date` and in what it says of assertions."""
        self.edit: Callable[[dict], dict] = lambda reply: reply
        """Changes the reply of a successful fetch; for servers that answer oddly."""
        self.fault: Callable[[], Response] | None = None
        """Answers instead of the OAuth server; for servers that are broken."""
        self.transcript = transcript
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._changes = Changes()
        self._open = threading.Event()
        self._open.set()
        app = Flask("token endpoint")
        app.config["OAUTH2_SCOPES_SUPPORTED"] = ["read:orders", "write:orders"]
        oauth = AuthorizationServer(app, lambda id: self.client if id == self.client.identifier else None, self._save)
        oauth.register_client_auth_method("private_key_jwt", _Assertions(self))
        oauth.register_client_auth_method("client_assertion", _FederatedAssertions(self))
        oauth.register_client_auth_method("tls_client_auth", _tls_client_auth)
        oauth.register_grant(_ClientCredentials)
        oauth.register_token_generator(
            "default", BearerTokenGenerator(self._token, expires_generator=lambda *_: self.lifetime))

        @app.post("/oauth2/token")
        def token():
            self._note()
            assert self._open.wait(PATIENCE), "the token endpoint was not released"
            if self.fault:
                return self.fault()
            response = oauth.create_token_response()
            if response.status_code == 200:
                response.set_data(app.json.dumps(self.edit(response.get_json())))
            return response

        @app.route("/elsewhere", methods=["GET", "POST"])
        def elsewhere():
            self._note()
            return {"access_token": "from-elsewhere", "token_type": "Bearer", "expires_in": 3600}

        class Handler(_Quiet):
            def date_time_string(handler, timestamp=None):
                return http_date((timestamp or time.time()) + self.clock_ahead)

        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler, ssl_context=tls)
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def public_key(self):
        """Verifies the signatures of its tokens."""
        return self._key.public_key()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def token_endpoint(self) -> str:
        return f"{self._scheme}://{self.authority}/oauth2/token"

    def credential(self, **more) -> dict:
        """The credential's part of proxy.conf; the secret itself comes in the environment."""
        return {"token_endpoint": self.token_endpoint, "client_id": self.client.identifier,
                "client_secret": "${CLIENT_SECRET}", **more}

    def hold(self) -> None:
        """Requests for tokens wait from now on."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def answer(self, status: int, body: str | bytes, **fields: str) -> None:
        """Every fetch gets this answer from now on."""
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        self.fault = lambda: Response(body, status, named)

    def wait_for_fetches(self, count: int) -> list[Fetch]:
        self._changes.wait_for(lambda: len(self.fetches) >= count, f"{count} requests for a token")
        return self.fetches

    def _note(self) -> None:
        authentication = "client_secret_basic" if request.authorization else (
            "client_secret_post" if "client_secret" in request.form else
            "private_key_jwt" if "client_assertion" in request.form else "none")
        fetch = Fetch(authentication, {key: request.form.getlist(key) for key in request.form}, dict(request.headers))
        with self._changes:
            self.fetches.append(fetch)

    def _token(self, client, grant_type, user, scope) -> str:
        if self.opaque:
            return secrets.token_urlsafe(32)
        now = int(time.time()) + self.clock_ahead
        return jwt.encode(
            {"iss": f"http://{self.authority}", "aud": [request.form.get("audience")], "azp": client.identifier,
             "iat": now, "exp": now + self.lifetime, "jti": secrets.token_hex(8), "scope": scope or ""},
            self._key, algorithm="ES256")

    def _save(self, token, _request) -> None:
        self.tokens.append(self.transcript.keep_token_secret(token["access_token"]))

    def stop(self) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()
