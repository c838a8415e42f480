"""Everything that any proxy of the session printed or published, and everything that must not be in it."""

import base64
import threading
import urllib.parse
from dataclasses import dataclass, field

SHORTEST = 8
"""Shorter forms would be found by chance."""


def variants(secret: str) -> set[str]:
    """The forms in which a secret could leak: raw, URL-encoded, hexadecimal, base64 at each of its three alignments."""
    raw = secret.encode()
    forms = {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), raw.hex()}
    forms.add(secret.replace("\\", "\\\\").replace('"', '\\"').replace("/", "\\/"))
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            # The characters that do not depend on what stands before or after the secret.
            usable = len(raw) - (-shift % 3)
            encoded = encode(b"x" * shift + raw).decode().rstrip("=")
            start = [0, 2, 3][shift]
            forms.add(encoded[start : start + usable * 4 // 3 - 2])
    return {form for form in forms if len(form) >= SHORTEST}


@dataclass
class Transcript:
    """Token servers add to it from threads of their own, at any time: a proxy that is still running renews its tokens."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, source: str, text: str) -> None:
        with self._lock:
            self.texts.append((source, text))

    def keep_secret(self, value: str) -> str:
        with self._lock:
            self.secrets.add(value)
        return value

    def keep_token_secret(self, token: str) -> str:
        """A JWT's header is the same in every token; its payload and signature are not."""
        with self._lock:
            self.secrets.add(token)
            if token.count(".") == 2:
                self.secrets.update(token.split(".")[1:])
        return token

    def leaks(self, since: int = 0) -> list[str]:
        """Where a secret appears in the texts from number `since` on, without repeating it."""
        with self._lock:
            secrets, texts = set(self.secrets), self.texts[since:]
        by_beginning: dict[str, set[str]] = {}
        for secret in secrets:
            for form in variants(secret):
                by_beginning.setdefault(form[:SHORTEST], set()).add(form)
        found = []
        for source, text in texts:
            for at in range(len(text) - SHORTEST + 1):
                forms = by_beginning.get(text[at : at + SHORTEST])
                if forms and any(text.startswith(form, at) for form in forms):
                    found.append(f"{source}: at {at}: …{text[max(0, at - 60):at]}<secret>")
                    break
        return found
