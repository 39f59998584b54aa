"""Which of several commands trains a trial that all of them lack."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bench import names
from bench.canonical import key_of
from bench.storage.client.run_files import Run
from bench.storage.mlflow_store import Store
from bench.storage.ownership import boards, claims
from bench.storage.ownership.boards import FolderBoard, StoreBoard
from bench.storage.ownership.claims import CHOOSING, Board, Claims, Notice
from bench.storage.ownership.owner import EXPIRY_SECONDS, Owner

GONE = replace(Owner.here(), machine="elsewhere", alive=time.time() - EXPIRY_SECONDS - 60)


KEYS = ["key"]


class Memory:
    """A board in memory on which nothing is atomic but one notice: every look at it takes a while."""

    def __init__(self, id_: str, notices: dict[str, int], keys: Collection[str] = ("key",)) -> None:
        self.id, self._notices, self._keys = id_, notices, keys

    def post(self, ticket: int) -> None:
        time.sleep(random.random() / 500)
        self._notices[self.id] = ticket
        time.sleep(random.random() / 500)

    def others(self) -> Sequence[Notice]:
        seen = []
        for id_ in list(self._notices):
            time.sleep(random.random() / 1000)
            if id_ != self.id:
                seen.append(Notice(id=id_, name=id_, ticket=self._notices[id_], owner=Owner.here()))
        return seen

    def run_keys(self, notice: Notice, mine: Collection[str]) -> Collection[str]:
        return [key for key in mine if key in self._keys]


def test_of_commands_that_claim_at_once_exactly_one_has_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "POLL_SECONDS", 0.001)
    for _ in range(20):
        claimed = at_once(8)
        assert sum("key" not in claim.holders() for claim in claimed) == 1 and len(claimed) == 8


def at_once(number: int) -> list[Claims]:
    notices: dict[str, int] = {}
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda i: Claims(Memory(str(i), notices), KEYS), range(number)))


def test_the_earlier_ticket_has_it_and_one_that_is_choosing_has_nothing() -> None:
    notices = {"b": 4}
    claim = Claims(Memory("c", notices), KEYS)
    assert notices["c"] == 5 and claim.holders()["key"].id == "b"
    notices |= {"a": 6, "b": CHOOSING}
    assert not claim.holders()
    notices["a"] = 5  # of equal tickets the identity
    assert claim.holders()["key"].id == "a"


def test_a_command_that_is_stopped_while_it_chooses_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "CHOOSING_SECONDS", 0.05)
    assert not Claims(Memory("c", {"b": CHOOSING}), KEYS).holders()


Place = Callable[[str, Collection[str]], Board]


@pytest.fixture(params=["sqlite", "file", "folder", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A store or a folder: what makes a board of it for a sweep and its run keys."""
    if request.param == "folder":
        return lambda sweep, keys: FolderBoard(tmp_path, sweep, keys)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    stores = {"sqlite": f"sqlite:///{tmp_path}/mlflow.db", "file": f"file://{tmp_path}/mlruns"}
    store = Store(stores.get(request.param) or request.getfixturevalue("database"))

    def made(sweep: str, keys: Collection[str]) -> Board:
        return StoreBoard(store, run_of(store, sweep, Owner.here()), keys)

    return made


def run_of(store: Store, sweep: str, owner: Owner) -> Run:
    tags = {names.KIND: names.SWEEP, names.OWNER: owner.tag()}
    return store.create(store.experiment(sweep), sweep, tags, time.time())


def test_what_one_posts_the_others_read(place: Place) -> None:
    x, y, z = (key_of(letter) for letter in "xyz")
    first, second, third = (
        Claims(place(name, keys), keys) for name, keys in (("one", [x, y]), ("two", [y, z]), ("three", [z]))
    )
    assert not first.holders()
    assert {key: notice.name for key, notice in second.holders().items()} == {y: "one"}
    assert {key: notice.name for key, notice in third.holders().items()} == {z: "two"}
    assert third.holders()[z].words.startswith("sweep two of process ")


def test_as_many_trials_as_tags_of_a_store_take(place: Place) -> None:
    keys = [key_of(number) for number in range(1000)]
    Claims(place("one", keys), keys)
    assert set(Claims(place("two", keys[:500]), keys[:500]).holders()) == set(keys[:500])


def test_a_store_forgets_a_command_that_ended_or_is_gone(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/mlflow.db")
    ended, gone = run_of(store, "ended", Owner.here()), run_of(store, "gone", GONE)
    closed = run_of(store, "closed", Owner.here())  # of this process, which could not end it
    boards_of = [StoreBoard(store, run, KEYS) for run in (ended, gone, closed)]
    for board in boards_of:
        board.post(1)
    store.end(ended.id, "FINISHED")
    boards_of[2].close()
    run_of(store, "of an earlier version", Owner.here())  # which has no ticket
    mine = StoreBoard(store, run_of(store, "mine", Owner.here()), KEYS)
    assert not Claims(mine, KEYS).holders() and not mine.others()


def test_a_folder_forgets_a_command_that_ended_or_is_gone(tmp_path: Path) -> None:
    ended = FolderBoard(tmp_path, "ended", KEYS)
    Claims(ended, KEYS)
    ended.close()
    here = replace(Owner.here(), process=Owner.here().process + 1, began="another")  # of this machine
    left = [tmp_path / boards.FILE.format(number) for number in range(3)]
    for file, owner in zip(left, (GONE, here), strict=False):
        fields = {"id": file.name, "name": "gone", "ticket": 1, "owner": owner.tag(), "run_keys": KEYS}
        file.write_text(json.dumps(fields))
    left[2].write_text("{")
    assert not Claims(FolderBoard(tmp_path, "mine", KEYS), KEYS).holders()
    assert [file.exists() for file in left] == [True, False, True]  # of another machine only its clock tells


def test_a_command_that_was_stopped_while_it_chose_chooses_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "CHOOSING_SECONDS", 0.2)
    notices: dict[str, int] = {}

    class Slow(Memory):
        def others(self) -> Sequence[Notice]:
            seen = super().others()
            if "b" not in notices:  # while it is stopped, another one comes and has all
                time.sleep(0.2)
                notices["b"] = 1
            return seen

    claim = Claims(Slow("a", notices), KEYS)
    assert notices["a"] == 2 and claim.holders()["key"].id == "b"
