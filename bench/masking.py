"""What is secret in a text, as passwords, tokens, keys and signatures of addresses; and the text without it.

Imports nothing of ours: every room may import it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote, quote_plus, unquote, urlsplit

SHOWN = "***"
PORT = r"\d+(?:[/?#:\s]|$)"
OURS = "(?:pretrained|folder|npz|hf|torchvision|timm):"  # before a name, which is no user's
# The end of the name of a value in an address's query, or in an environment variable, that is secret.
NAMES = (
    "password|passwd|pwd|passphrase|secret|token|signature|sig|credential|(?:access|account|api|private|secret)_?key"
    "|(?:access|account)_?key_?id"
)
# What is secret in an address, and what is shown of it; before that, of what each has one, in small letters: a text
# without any is left alone, for expressions take a hundred times as long as to look. A database's password may have a
# slash in it; one of a server has none, for what follows `host:5000/` is a path.
SECRETS = (
    (("@",), re.compile(rf"((?<!http)(?<!https)://[^\s:/@]*):(?!\s)(?:\S*|(?!{PORT})[^@]*)@"), rf"\1:{SHOWN}@"),
    (("@",), re.compile(rf"(https?://[^\s:/@]*):(?!\s|{PORT})(?:\S*|[^@/]*)@"), rf"\1:{SHOWN}@"),
    (  # no scheme
        ("@",),
        re.compile(rf"((?:^|[\s/'\"(:@])(?!{OURS})[^\s:/@'\"(]*):(?![/\s]|{PORT})\S*@"),
        rf"\1:{SHOWN}@",
    ),
    (("@",), re.compile(r"(https?://)[^\s:/@]+@"), rf"\1{SHOWN}@"),  # a token in the place of the user
    (("=",), re.compile(r"(odbc_connect=)[^&\s]*?(?=:?(?:[&\s]|$))", re.IGNORECASE), rf"\1{SHOWN}"),
    (
        ("=", "%3d"),
        re.compile(
            rf"([?&;]|%3B|\b)([\w-]*(?:{NAMES})(?:=|%3D))(?!\*\*\*(?:[&;\s'\"]|$))"
            r"(?:(?!%3B|%26)[^&;\s])*?(?=:?(?:[&;\s]|%3B|%26|$))",
            re.IGNORECASE,
        ),
        rf"\1\2{SHOWN}",
    ),
    (("thor",), re.compile(r"(authorization\W{1,4}(?:basic|bearer)\s+)[^\s'\"]+", re.IGNORECASE), rf"\1{SHOWN}"),
)
SECRET_VARIABLE = re.compile(f"(?!PWD$)(?:^|_)(?:{NAMES})$", re.IGNORECASE)  # PWD is a shell's working folder
ADDRESS_VARIABLE = "MLFLOW_TRACKING_URI"
SHORTEST = 6  # characters of a secret that is looked for wherever it stands: a shorter one may be a word


def masked(text: str) -> str:
    """The text without the passwords, tokens, keys and signatures in it.

    >>> masked("store http://ann:secret@host:5000: no answer"), masked("postgresql:///x?user=ann&password=secret: gone")
    ('store http://ann:***@host:5000: no answer', 'postgresql:///x?user=ann&password=***: gone')
    >>> masked("start pretrained:folder:images@64@0"), masked("s3://bucket/x?X-Amz-Signature=0a1b2c")
    ('start pretrained:folder:images@64@0', 's3://bucket/x?X-Amz-Signature=***')
    """
    small = text.lower()
    for signs, pattern, shown in SECRETS:
        if any(sign in small for sign in signs):
            text = pattern.sub(shown, text)
    for secret in sorted(_of_environment(), key=len, reverse=True):
        text = text.replace(secret, SHOWN)
    return text


def masked_lines(text: str) -> str:
    """The same of a text of lines: no secret goes over the end of one."""
    return "\n".join(map(masked, text.split("\n")))


def mask_error(error: BaseException) -> None:
    """Take what is secret out of the messages of an error, and of those that led to it."""
    seen = set[int]()
    waiting: list[BaseException | None] = [error]
    while waiting:
        inner = waiting.pop()
        if inner is not None and id(inner) not in seen:
            seen.add(id(inner))
            inner.args = tuple(masked(value) if isinstance(value, str) else value for value in inner.args)
            waiting += [inner.__cause__, inner.__context__]


def _of_environment() -> set[str]:
    """The secrets that this process was given, in every form in which a library may quote them."""
    given = {value for name, value in os.environ.items() if SECRET_VARIABLE.search(name)}
    with suppress(ValueError):  # no address
        given.add(urlsplit(os.environ.get(ADDRESS_VARIABLE, "")).password or "")
    return {form for value in given for form in _forms(value) if len(form) >= SHORTEST and not _is_word(form)}


def _is_word(text: str) -> bool:
    """Whether it may stand in a message for itself, as the name of a user or a database."""
    return text.isalpha() and text.islower()


def _forms(secret: str) -> Iterator[str]:
    plain = unquote(secret)
    yield from (secret, plain, quote(plain, safe=""), quote_plus(plain))
