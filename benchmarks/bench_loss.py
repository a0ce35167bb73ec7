"""Is anything lost? Seeded stories of a reader whose program is killed, whose disk fills up, whose journal is damaged.

Each story is a folder of three films. A child process does what the panel does with them (open, restore, paint, undo,
region, scale, sign, reopen, deny, save, discard, switch films) and tells after each action what it shows. It is killed
with SIGKILL at any moment, or its writing fails for a while as on a full disk; the next child opens what lies there.
What it shows then must be what was shown last and said to be safe, or that and the action under way. In the end every
film is saved, and the saved mask read and measured again must give the number that was shown.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from calcimeasure import measure
from calcimeasure.errors import CalcimeasureError
from calcimeasure.io.results.masks import read_labels
from calcimeasure.model.deposit import Segmentation
from calcimeasure.model.labels import Labels
from calcimeasure.reading import lines
from calcimeasure.reading.codec import Codec
from calcimeasure.reading.folder_custody import FolderCustody
from calcimeasure.reading.saving import mask_file, name_in
from calcimeasure.reading.session import Session
from calcimeasure.reading.worklist import Worklist

SHAPE, FILMS, LIVES = (140, 180), 3, 4
#: A child is killed when it has told so many lines, two for each action.
_LIFE = 160
_ACTS = (
    *("paint",) * 8,
    *("erase", "delete", "reject", "accept", "merge", "back", "undo", "undo", "redo"),
    *("region", "whole", "scale", "threshold", "find", "deny", "save", "save", "sign", "reopen", "turn", "turn"),
    *("discard", "full"),
)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--stories", type=int, default=20)
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--child", nargs=2, metavar=("FOLDER", "SEED"))
    args = cli.parse_args()
    if args.child:
        Reader(Path(args.child[0]), int(args.child[1])).live()
        return
    lost = [words for seed in range(args.seed, args.seed + args.stories) for words in story(seed)]
    print(f"{args.stories} stories of {LIVES} kills: {len(lost)} faults")
    print(*lost, sep="\n")
    sys.exit(bool(lost))


# --- the reader, in a process of his own ----------------------------------------------------------------


def shown(session: Session) -> dict[str, Any]:
    """All that the panel shows of a film, and what lies behind it."""
    state = Codec(session.stated).state_to_json(session.blank, session.state)
    for name in ("excluded", "deleted", "cut"):
        for held in state.get(name, ()):
            if isinstance(held, dict):
                held.pop("id")
    if "authors" in state:  # of what is there; what is cut off or refused tells of itself
        state["authors"] = {str(n): session.state.authorship.of(n).value for n in session.rows}
    total = session.measurement
    return {
        "mask": hashlib.sha256(session.labels.tobytes()).hexdigest()[:12],
        "state": {name: _hash(told) for name, told in state.items()},
        "area": total.area_px.value,
        "count": total.count,
        "signed": session.signature.initials if session.signature else None,
        "status": session.keeping.status,
        "saved": session.keeping.is_saved,
    }


def _hash(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


class Reader:
    """Does what a person does, and tells of it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng, self.random = np.random.default_rng(seed), random.Random(seed)
        self.folder, self.films = folder, Worklist.of(folder / "films")
        self.failing = 0
        write = lines.append

        def append(file: Any, data: bytes) -> None:
            if self.failing and self.random.random() < 0.7:
                part = self.random.randrange(len(data))
                write(file, data[:part])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(file, data)

        for module in (lines, sys.modules["calcimeasure.reading.journal"]):
            module.append = append  # type: ignore[attr-defined]

    def live(self) -> None:
        self.open(self.random.randrange(FILMS))
        for _ in range(10_000):
            self.failing = max(0, self.failing - 1)
            self.act(self.random.choice(_ACTS))

    def open(self, at: int) -> None:
        """As the desk does."""
        item = self.films.items[at]
        self.at = at
        self.tell(begin="open")
        session = self.session = Session.open(item.path)
        session.keeping.resume(FolderCustody(self.films.saved))
        if waiting := session.keeping.offered_work():
            session.keeping.restore(waiting)
        else:
            session.keeping.keep_journal()
        session.keeping.set_initials("AB")
        self.told("open")

    def tell(self, **told: Any) -> None:
        print(json.dumps({"film": self.at} | told), flush=True)

    def told(self, act: str) -> None:
        session = self.session
        did = [(one.name, one.how, one.when, one.pixels) for one in session.changes.log]
        self.tell(act=act, shown=shown(session), safe=not session.keeping.trouble, did=did)

    def act(self, act: str) -> None:
        self.tell(begin=act)
        try:
            getattr(self, act, lambda: self._simple(act))()
        except CalcimeasureError as refused:
            self.tell(refused=str(refused))
        self.told(act)

    def full(self) -> None:
        self.failing = 6

    def turn(self) -> None:
        self.session.keeping.close()
        self.open(self.random.randrange(FILMS))

    def discard(self) -> None:
        if self.random.random() < 0.3:
            self.session.keeping.close(discard=True)
            self.open(self.at)

    def paint(self, number: int | None = None) -> None:
        row, column = (int(self.rng.integers(size)) for size in SHAPE)
        radius = int(self.rng.integers(1, 12))
        rows = slice(max(row - radius, 0), min(row + radius, SHAPE[0]))
        columns = slice(max(column - radius, 0), min(column + radius, SHAPE[1]))
        where = rows, columns
        window = np.full_like(self.session.labels[where], self.rng.integers(1, 15) if number is None else number)
        self.session.edit.edited(where, window, "erase" if number == 0 else "paint")

    def erase(self) -> None:
        self.paint(0)

    def merge(self) -> None:
        self.session.edit.merge(self._some(2))

    def back(self) -> None:
        if self.session.excluded:
            self.session.edit.bring_back(self.random.choice(self.session.excluded))

    def region(self) -> None:
        inside = np.zeros(SHAPE, bool)
        inside[int(self.rng.integers(60)) : int(self.rng.integers(70, 140)), int(self.rng.integers(90)) :] = True
        self.session.finding.set_region(inside)

    def whole(self) -> None:
        self.session.finding.set_region(None)

    def scale(self) -> None:
        self.session.calibration.set_spacing(self.random.choice([0.1, 0.15, 0.3, None]))

    def threshold(self) -> None:
        self.session.finding.set_threshold(self.random.choice([0.2, 0.4, 0.6]), joins=self.random.random() < 0.5)

    def find(self) -> None:
        array = np.zeros(SHAPE, np.int32)
        for number in range(1, int(self.rng.integers(1, 6))):
            row, column = (int(self.rng.integers(size - 10)) for size in SHAPE)
            array[row : row + 9, column : column + 9] = number
        self.session.finding.found(Segmentation(Labels(array)))

    def deny(self) -> None:
        if self.random.random() < 0.3:
            self.session.edit.deny("AB")

    def save(self) -> None:
        self.session.keeping.save(FolderCustody(self.films.saved))

    def sign(self) -> None:
        if self.random.random() < 0.4:
            self.session.keeping.sign("AB")

    def reopen(self) -> None:
        self.session.keeping.reopen("again", "AB")

    def _simple(self, act: str) -> None:
        if act in ("undo", "redo"):
            getattr(self.session, act)()
        else:
            getattr(self.session, act)(self._some(1))

    def _some(self, count: int) -> list[int]:
        return self.random.sample(sorted(self.session.rows), min(count, len(self.session.rows)))


# --- who watches him ------------------------------------------------------------------------------------


@dataclass
class Watched:
    """What was told of a film: everything shown since it was last known to be safe."""

    last: list[dict[str, Any]] = field(default_factory=list)
    saved: dict[str, Any] | None = None
    begun: str = ""


def story(seed: int) -> list[str]:
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        folder, watched = Path(home), [Watched() for _ in range(FILMS)]
        draw(folder / "films", seed)
        chance = random.Random(seed)
        for life in range(LIVES):
            faults += _life(folder, seed * 1000 + life, watched, chance)
        faults += _ending(folder, watched)
    return [f"seed {seed}: {words}" for words in faults]


def draw(folder: Path, seed: int) -> None:
    folder.mkdir()
    for at in range(FILMS):
        pixels = np.random.default_rng(seed * 10 + at).integers(0, 255, SHAPE).astype(np.uint8)
        PillowImage.fromarray(pixels).save(folder / f"film{at}.png")


def _life(folder: Path, seed: int, watched: list[Watched], chance: random.Random) -> list[str]:
    command = [sys.executable, __file__, "--child", str(folder), str(seed)]
    environment = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder)}
    faults: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as child:
        assert child.stdout
        assert child.stderr
        told = [child.stdout.readline() for _ in range(chance.randrange(1, _LIFE))]
        time.sleep(chance.choice([0, 0.001, 0.005, 0.02]))
        child.send_signal(signal.SIGKILL)
        told += child.stdout.read().splitlines(keepends=True)
        died = child.stderr.read().decode()
        if child.wait() != -signal.SIGKILL or died:
            faults.append(f"the program fell over: {died[-1500:]}")
    for line in (line for line in told if line.endswith(b"\n")):
        faults += _hear(json.loads(line), watched)
        if os.environ.get("DEBUG"):
            print("#", line.decode()[:-1])
    return faults


def _hear(told: dict[str, Any], watched: list[Watched]) -> list[str]:
    film = watched[told["film"]]
    if "begin" in told:
        film.begun = told["begin"] if told["begin"] != "open" else film.begun
        return []
    if "refused" in told:
        return []
    faults = []
    if told["act"] == "open":
        faults = _lost(film, told)
    if told["act"] == "open" or told["safe"]:
        film.last = []
    film.last.append(told)
    if told["act"] == "open" or told["act"] != "turn":
        film.begun = ""
    if told["act"] == "save" and told["shown"]["saved"]:
        film.saved = told
    return faults


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    names = set(one["shown"]) - {"saved"}
    return all(one["shown"][name] == other["shown"][name] for name in names)


def _lost(film: Watched, told: dict[str, Any]) -> list[str]:
    """Whether what is shown after opening is nothing that was shown and safe, nor what was under way."""
    if not film.last or any(_same(told, one) for one in film.last):
        return []
    newest = film.last[-1]
    if film.begun == "save":  # what was under way may have been saved
        film.saved = None
    if film.begun == "discard" and (film.saved is None or _same(told, film.saved)):
        return []
    if film.begun and film.begun != "turn" and told["did"][: len(newest["did"]) - 1] == newest["did"][:-1]:
        return []
    return [f"film{told['film']}: shown {newest['shown']}, then ({film.begun or 'nothing'}) opened as {told['shown']}"]


def _ending(folder: Path, watched: list[Watched]) -> list[str]:
    """Every film is saved in the end, and measured again from the saved mask."""
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    films, faults = Worklist.of(folder / "films"), []
    for at, item in enumerate(films.items):
        session = Session.open(item.path)
        session.keeping.resume(FolderCustody(films.saved))
        if waiting := session.keeping.offered_work():
            session.keeping.restore(waiting)
        here = {
            "film": at,
            "shown": shown(session),
            "did": [(d.name, d.how, d.when, d.pixels) for d in session.changes.log],
        }
        here["did"] = json.loads(json.dumps(here["did"]))
        faults += _lost(watched[at], here)
        session.keeping.set_initials("AB")
        try:
            session.keeping.save(FolderCustody(films.saved))
            saved = mask_file(films.saved, name_in(films.saved, session.source))
        except CalcimeasureError as refused:
            faults.append(f"film{at}: cannot be saved: {refused}")
            continue
        if session.keeping.status != "open":
            image = session.image
            again = measure(image, read_labels(saved, image.shape))
            if again.area_px.value != session.measurement.area_px.value:
                faults.append(f"film{at}: shown {session.measurement.area_px}, measured again {again.area_px}")
        session.keeping.close()
    return faults


if __name__ == "__main__":
    main()
