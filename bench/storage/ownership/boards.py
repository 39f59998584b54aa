"""The boards on which commands post what they train: the runs of their sweeps in a store, or files in a folder."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from bench import names
from bench.disk import write_whole
from bench.storage import mlflow_fields
from bench.storage.ownership.claims import CHOOSING, Notice
from bench.storage.ownership.heartbeat import Heartbeat
from bench.storage.ownership.owner import Owner
from bench.tags import split

if TYPE_CHECKING:
    from bench.storage.client.run_files import Run
    from bench.storage.mlflow_store import Store

LETTERS = 16  # of a run key, its first: 64 bits, in a tag
FILE = ".claim-{}.json"  # in an offline folder, of a command's id; hidden files there are no trials


_OPEN: set[str] = set()  # the boards of this process: what another one of it has left behind is gone


class StoreBoard:
    """Of an MLflow store: tags of the sweep's run, which its owner keeps alive and ends."""

    def __init__(self, store: Store, run: Run, run_keys: Collection[str]) -> None:
        self._store, self.id = store, run.id
        shortened = "".join(sorted(key[:LETTERS] for key in run_keys))
        for name, value in split({names.CLAIMED: shortened}).items():
            store.tag(run.id, name, value)
        _OPEN.add(self.id)

    def post(self, ticket: int) -> None:
        """See `Board.post`."""
        self._store.tag(self.id, names.CLAIM, str(ticket))

    def others(self) -> Sequence[Notice]:
        """See `Board.others`."""
        return [
            Notice(id=run, name=tags.get(mlflow_fields.RUN_NAME, ""), ticket=int(ticket), owner=owner)
            for run, ticket in self._store.tagged(names.CLAIM, "RUNNING")
            if run != self.id
            for tags in [self._store.tags(run)]
            if (owner := Owner.of(tags.get(names.OWNER))) is not None and not _is_gone(run, owner)
        ]

    def run_keys(self, notice: Notice, mine: Collection[str]) -> Collection[str]:
        """See `Board.run_keys`."""
        joined = self._store.tags(notice.id).get(names.CLAIMED, "")
        theirs = {joined[start : start + LETTERS] for start in range(0, len(joined), LETTERS)}
        return frozenset(key for key in mine if key[:LETTERS] in theirs)

    def close(self) -> None:
        """The run is about to end."""
        _OPEN.discard(self.id)


class FolderBoard:
    """Of an offline folder: a file of each command, which is there until it ends."""

    def __init__(self, folder: Path, name: str, run_keys: Collection[str]) -> None:
        self._folder, self.id, self._name, self._run_keys = folder, uuid4().hex, name, sorted(run_keys)
        self._ticket, self._heartbeat = CHOOSING, Heartbeat(self._write)
        _OPEN.add(self.id)

    def post(self, ticket: int) -> None:
        """See `Board.post`."""
        self._ticket = ticket
        self._write()

    def _write(self) -> None:
        fields = {"id": self.id, "name": self._name, "ticket": self._ticket, "owner": Owner.here().tag()}
        fields |= {"run_keys": self._run_keys}
        write_whole(self._file(self.id), json.dumps(fields).encode())

    def _file(self, id_: str) -> Path:
        return self._folder / FILE.format(id_)

    def others(self) -> Sequence[Notice]:
        """See `Board.others`. Removes the notices of commands of this machine that are gone."""
        notices = [self._notice(file) for file in sorted(self._folder.glob(FILE.format("*")))]
        return [notice for notice in notices if notice is not None and notice.id != self.id]

    def _notice(self, file: Path) -> Notice | None:
        try:
            fields = json.loads(file.read_bytes())
            owner, id_, name = Owner.of(fields["owner"]), str(fields["id"]), str(fields["name"])
            ticket = int(fields["ticket"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):  # removed at this moment, or none of ours
            return None
        if owner is None or _is_gone(id_, owner):
            if owner is not None and owner.machine == Owner.here().machine:
                with suppress(OSError):  # another user's
                    file.unlink()
            return None
        return Notice(id=id_, name=name, ticket=ticket, owner=owner)

    def run_keys(self, notice: Notice, mine: Collection[str]) -> Collection[str]:
        """See `Board.run_keys`."""
        try:
            theirs = frozenset(json.loads(self._file(notice.id).read_bytes())["run_keys"])
        except FileNotFoundError:  # it has ended
            return frozenset()
        return theirs.intersection(mine)

    def close(self) -> None:
        """Take the notice down."""
        _OPEN.discard(self.id)
        self._heartbeat.close()
        self._file(self.id).unlink(missing_ok=True)


def _is_gone(id_: str, owner: Owner) -> bool:
    """Whether a command has ended: in this process its board tells, elsewhere its owner."""
    return id_ not in _OPEN if owner.is_this_process() else owner.is_gone()
