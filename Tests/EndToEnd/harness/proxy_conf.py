"""Writes proxy.conf from Python values, in the block style that people write."""

import json
import re

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]*(?:\.[A-Za-z0-9]+)*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off"}


def _scalar(value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str) and value != "off" and (not _PLAIN.fullmatch(value) or value.lower() in _WORDS):
        return json.dumps(value)
    return str(value)


def _key(name: str) -> str:
    """A name is a word in proxy.conf too; one that YAML reads as nothing needs quotes."""
    return json.dumps(name) if name.lower() == "null" else name


def _lines(value, indent: int) -> list[str]:
    space = " " * indent
    lines = []
    if isinstance(value, dict):
        for key, item in value.items():
            if item is None:
                continue  # Left out.
            if isinstance(item, (dict, list)) and item:
                lines += [f"{space}{_key(key)}:", *_lines(item, indent + 2)]
            else:
                lines.append(f"{space}{_key(key)}: {_scalar(item)}")
    else:
        for item in value:
            first, *rest = _lines(item, indent + 2) if isinstance(item, (dict, list)) else [_scalar(item)]
            lines += [f"{space}- {first.lstrip()}", *rest]
    return lines


def proxy_conf(settings: dict) -> str:
    return "".join(line + "\n" for line in _lines(settings, 0))
