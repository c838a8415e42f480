"""Callers as proxy.conf has them, with hashes by Python's scrypt, which is not the proxy's."""

import base64
import hashlib
import secrets


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def password_hash(password: str, cost: int = 10) -> str:
    """A hash that costs little, so that tests do not wait for it."""
    salt = secrets.token_bytes(16)
    derived = hashlib.scrypt(password.encode(), salt=salt, n=1 << cost, r=8, p=1, maxmem=1 << 28, dklen=32)
    return f"$scrypt$ln={cost},r=8,p=1${_text(salt)}${_text(derived)}"


def with_password(password: str) -> dict:
    return {"password": password_hash(password)}


def basic(user: str, password: str) -> str:
    """The field line that says who calls."""
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
