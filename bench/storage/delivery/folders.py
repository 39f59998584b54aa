"""Where the undelivered results of a store are: one folder, however its address is written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_plus, urlsplit

from platformdirs import user_state_path

from bench.storage.store_uri import local_path

PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}  # unless an address names another
WHO = re.compile(r"\s*(?:user|user id|uid|username|password|passwd|pwd)\s*=", re.IGNORECASE)
FORMER = re.compile("[0-9a-f]{16}")  # the name that earlier versions gave a folder, of the address as it was written


def folder_of(uri: str) -> Path:
    """Beside the store's files, where they are in fact; of a server, in the user's state folder."""
    path = local_path(uri)
    if path is None:
        return _of_servers() / _name(uri)
    return _beside(path.resolve())


def former_folders(uri: str) -> list[Path]:
    """Where earlier versions kept them, of an address that was written as this one is."""
    path = local_path(uri)
    former = _of_servers() / _hash(uri) if path is None else _beside(path)
    return [former] if former != folder_of(uri) else []


def unknown_folders(uri: str) -> Iterator[Path]:
    """Folders of earlier versions of which nobody knows the server: it may be this one, written otherwise."""
    if local_path(uri) is None and _of_servers().is_dir():
        known = former_folders(uri)
        yield from sorted(p for p in _of_servers().iterdir() if FORMER.fullmatch(p.name) and p not in known)


def _of_servers() -> Path:
    return user_state_path("bench") / "undelivered"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}-undelivered")


def _name(uri: str) -> str:
    """The host, and the hash of what tells a store from others: no user, no password, no driver, no spelling."""
    parts = urlsplit(uri)
    scheme = parts.scheme.lower().partition("+")[0]
    host, port = parts.hostname or "", parts.port or PORTS.get(scheme, 0)
    said = [part for part in re.split("[&;]", unquote_plus(parts.query)) if part and not WHO.match(part)]
    query = "&".join(said)  # a database's address may name host and schema there
    identity = "\n".join((scheme, host, str(port), parts.path.rstrip("/"), query))
    return f"{re.sub('[^a-z0-9.-]', '-', host)[:40] or scheme}-{_hash(identity)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
