"""Which files to measure, and under which names their results are kept; decided before any work begins."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from calcimeasure.errors import TableError
from calcimeasure.io.images.read import is_candidate
from calcimeasure.io.results.masks import SUFFIX

#: A folder that holds this file is a results folder of ours, never an input.
RESULTS_MARK = ".calcimeasure"
_NOT_OURS = {"__MACOSX", "__pycache__"}


@dataclass(frozen=True, slots=True)
class Input:
    """A file to measure.

    Parameters
    ----------
    path : Path
        Where it lies.
    image : str
        How tables name it: its path relative to the given folder, with ``/``.
    name : str
        NAME of its mask and overlay, relative to their folders: the stem, or the whole file name where
        two inputs of a folder share a stem.
    """

    path: Path
    image: str
    name: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files to measure in table order, and how many others were passed over."""

    files: tuple[Input, ...]
    skipped: int = 0


def find_inputs(paths: Sequence[Path], out: Path | None = None) -> Inputs:
    """Every image under the given files and folders, each once, sorted, with its NAME.

    With one path, tables name an image relative to it; with several, the name begins with the folder
    given (or the folder of a file given), so that two folders may hold files of one name. A file given
    by itself is always an input; in a folder, stray files, dot folders and our own output are counted
    as skipped.

    Raises
    ------
    TableError
        When a path does not exist.
    """
    found: dict[Path, str] = {}
    skipped = 0
    for path, prefix in zip(paths, _prefixes(paths), strict=True):
        for file, relative in _files(path, out):
            if path.is_dir() and not _is_image(file):
                skipped += 1
                continue
            found.setdefault(file.resolve(), str(PurePosixPath(prefix, relative)))
    images = sorted(found.items(), key=lambda item: item[1])
    names = choose_names([image for _, image in images])
    return Inputs(tuple(Input(path, image, names[image]) for path, image in images), skipped)


def _prefixes(paths: Sequence[Path]) -> list[str]:
    """Folder name in front of every image of a path: none for one path; made unique when two folders share a name."""
    if len(paths) == 1:
        return [""]
    homes = [path.resolve() if path.is_dir() else path.resolve().parent for path in paths]
    taken: dict[str, Path] = {}
    for home in homes:
        name, turn = home.name or "root", 2
        while taken.setdefault(name, home) != home:
            name, turn = f"{home.name}-{turn}", turn + 1
    by_home = {home: name for name, home in taken.items()}
    return [by_home[home] for home in homes]


def _files(path: Path, out: Path | None) -> Iterator[tuple[Path, str]]:
    """The file, or every visible file below the folder, with its path relative to what was given."""
    if not path.exists():
        raise TableError(f"there is no file or folder {path.name!r}: check the spelling")
    if not path.is_dir():
        yield path, path.name
        return
    for folder, subfolders, files in os.walk(path):
        here = Path(folder)
        subfolders[:] = sorted(name for name in subfolders if not _is_closed(here / name, out))
        for name in sorted(files):
            yield here / name, str(PurePosixPath((here / name).relative_to(path)))


def _is_image(file: Path) -> bool:
    return not file.name.startswith(".") and not file.name.endswith(SUFFIX) and is_candidate(file)


def _is_closed(folder: Path, out: Path | None) -> bool:
    """Dot folders, leftovers of other systems, and results folders."""
    hidden = folder.name.startswith(".") or folder.name in _NOT_OURS
    ours = (folder / RESULTS_MARK).exists() or (out is not None and folder.resolve() == out.resolve())
    return hidden or ours


def choose_names(images: Iterable[str]) -> dict[str, str]:
    """NAME for every image: its path without the suffix, or with it where two would share one.

    Letter case does not tell two names apart, since some file systems ignore it.

    Examples
    --------
    >>> choose_names(["a/film.dcm", "a/photo.jpg", "a/photo.png"])
    {'a/film.dcm': 'a/film', 'a/photo.jpg': 'a/photo.jpg', 'a/photo.png': 'a/photo.png'}
    """
    names = {image: str(PurePosixPath(image).with_suffix("")) for image in images}
    # A whole file name may meet another's stem (a.png, a.jpg and a.png.tif): repeat until nothing is shared.
    while True:
        shared = Counter(name.casefold() for name in names.values())
        clash = [image for image, name in names.items() if shared[name.casefold()] > 1 and name != image]
        if not clash:
            return names
        names.update({image: image for image in clash})
