"""Which files to measure, and under which names their results are kept; decided before any work begins."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from calcimeasure.errors import NothingToMeasure, TableError
from calcimeasure.io.files import real_path
from calcimeasure.io.images.content import by_name, is_candidate, is_outline
from calcimeasure.report.plain_text import plain, plain_name

#: A folder that holds this file is a results folder of ours, never an input.
RESULTS_MARK = ".calcimeasure"
_NOT_OURS = {"__MACOSX", "__pycache__"}
#: Bytes of a NAME: what is added (``.labels.tif``, and what a draft is called) must fit into 255.
_LONGEST_NAME = 200
_NO_FILE_NAME = re.compile(r'[\\:*?"<>|]')


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
        NAME of its mask and overlay, relative to their folders: `name_of` its image, unless the results folder gave
        it another before.
    stem : str
        The image without the suffix of a picture, by which a mask or region made elsewhere may be called; empty where
        another input has the same.
    """

    path: Path
    image: str
    name: str
    stem: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files to measure in table order, and how many others were passed over.

    `unread` are folders that could not be read, `circular` links to folders that hold the one that is searched.
    """

    files: tuple[Input, ...]
    skipped: int = 0
    unread: tuple[str, ...] = ()
    circular: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was passed over, a line each."""
        others = f"{self.skipped} other files passed over (not images, or results of ours)"
        return (
            *(f"skipped: the folder {folder} cannot be read" for folder in self.unread),
            *(f"skipped: the link {link} leads to a folder that holds the one given" for link in self.circular),
            *([others] if self.skipped else ()),
        )

    @property
    def to_measure(self) -> tuple[Input, ...]:
        """The files, at least one.

        Raises
        ------
        NothingToMeasure
            When there is none.
        """
        if not self.files:
            raise NothingToMeasure("nothing to measure: no image was found there")
        return self.files


def find_inputs(paths: Sequence[Path], out: Path | None = None) -> Inputs:
    """Every image under the given files and folders, each once, sorted, with its NAME.

    With one path, tables name an image relative to it; with several, the name begins with the folder
    given (or the folder of a file given), so that two folders may hold files of one name. A file given
    by itself is always an input; in a folder, stray files, dot folders and our own output are counted
    as skipped. Linked folders are followed once, after all others.

    Raises
    ------
    TableError
        When a path does not exist or cannot be looked at.
    """
    search = _Search(out)
    for path, prefix in zip(paths, _prefixes(paths), strict=True):
        search.take(path, prefix)
    images = sorted(search.found.values())
    stems = Counter(_stem(image) for image, _ in images)
    bare = {image for image, _ in images}
    files = tuple(_input(path, image, stems, bare) for image, path in images)
    return Inputs(files, search.skipped, tuple(search.unread), tuple(search.circular))


#: A file or folder, and how tables name it.
_Named = tuple[Path, PurePosixPath]


def _input(path: Path, image: str, stems: Mapping[str, int], images: Set[str]) -> Input:
    stem, name = _stem(image), name_of(image)
    taken = name != image and name in images  # a file without a suffix lies beside it
    return Input(path, image, hashed_name(image) if taken else name, stem if stems[stem] == 1 else "")


@dataclass(slots=True)
class _Search:
    """A search of files and folders: images with their paths, and all that is no image.

    What a link leads to, by which they are found, tells two of them apart and goes no further.
    """

    out: Path | None
    found: dict[Path, tuple[str, Path]] = field(default_factory=dict)
    skipped: int = 0
    unread: list[str] = field(default_factory=list)
    circular: list[str] = field(default_factory=list)
    _seen: set[tuple[int, int]] = field(default_factory=set)

    def take(self, path: Path, prefix: str) -> None:
        """All images under a file or folder, named with the prefix in front."""
        if not _is_folder(path):
            self._keep(path, PurePosixPath(prefix, plain_name(path.name)))
            return
        self._seen.clear()
        waiting, links = [(path, PurePosixPath(prefix))], deque[_Named]()
        while waiting or links:
            folder, name = waiting.pop() if waiting else links.popleft()
            for below in self._enter(folder, name):
                if not below[0].is_symlink():
                    waiting.append(below)
                elif real_path(below[0]) in real_path(path).parents:
                    self.circular.append(str(below[1]))
                else:
                    links.append(below)

    def _enter(self, folder: Path, name: PurePosixPath) -> Iterator[_Named]:
        """Take what a folder holds; its subfolders, linked ones too."""
        for path in self._listed(folder) if self._is_first(folder) else ():
            below = name / plain_name(path.name)
            if not _is_folder(path):
                self._weigh(path, below)
            elif not _is_closed(path, self.out):
                yield path, below

    def _is_first(self, folder: Path) -> bool:
        try:
            found = folder.stat()
        except OSError:
            self.unread.append(plain(folder.name))
            return False
        fresh = (found.st_dev, found.st_ino) not in self._seen
        self._seen.add((found.st_dev, found.st_ino))
        return fresh

    def _listed(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except OSError:
            self.unread.append(plain(folder.name))
            return []

    def _weigh(self, path: Path, name: PurePosixPath) -> None:
        """Take a file that is an image; a pipe or device is none, and opening one could take for ever."""
        if _is_image(path):
            self._keep(path, name)
        else:
            self.skipped += 1

    def _keep(self, path: Path, name: PurePosixPath) -> None:
        """Take a file; of a file and links to it the file, of links alone the first."""
        real = real_path(path)
        if real not in self.found or (self.found[real][1].is_symlink() and not path.is_symlink()):
            self.found[real] = (str(name), path)


def _prefixes(paths: Sequence[Path]) -> list[str]:
    """Folder name in front of every image of a path: none for one path; made unique when two folders share a name."""
    for path in paths:
        _check_there(path)
    if len(paths) == 1:
        return [""]
    named = [Path(os.path.normpath(path.absolute())) for path in paths]  # not resolved: a link keeps its own name
    homes = [path if _is_folder(path) else path.parent for path in named]
    taken: dict[str, Path] = {}
    for home in homes:
        name, turn = plain_name(home.name) or "root", 2
        while taken.setdefault(name, home) != home:
            name, turn = f"{plain_name(home.name)}-{turn}", turn + 1
    by_home = {home: name for name, home in taken.items()}
    return [by_home[home] for home in homes]


def _check_there(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        raise TableError(f"there is no file or folder {_short(path)}: check the spelling") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise TableError(f"{_short(path)} cannot be looked at: {why}") from error


def _short(path: Path) -> str:
    name = plain(path.name)
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}...")


def _is_folder(path: Path) -> bool:
    with suppress(OSError):
        return path.is_dir()
    return False


def _is_image(file: Path) -> bool:
    """Whether a file looks like an image; one that is gone, or links to nothing, goes by its name."""
    try:
        special = not stat.S_ISREG(file.stat().st_mode)
    except (OSError, RuntimeError):
        special = False
    return not (special or file.name.startswith(".") or is_outline(file)) and is_candidate(file)


def _is_closed(folder: Path, out: Path | None) -> bool:
    """Dot folders, leftovers of other systems, and results folders."""
    hidden = folder.name.startswith(".") or folder.name in _NOT_OURS
    try:
        return hidden or (folder / RESULTS_MARK).exists() or (out is not None and real_path(folder) == real_path(out))
    except OSError:
        return hidden


def name_of(image: str) -> str:
    """NAME of an image: its path as tables name it, whatever lies beside it, and whatever dots it holds.

    Of a PNG alone the suffix is left out: two files of one folder never have one NAME (but for ``film.png`` beside a
    file ``film`` without any suffix, which `find_inputs` sees to). A name that is too long for a file system with ours
    behind it, or holds characters that are none of a file name, is shortened and told apart by a hash.

    Examples
    --------
    >>> name_of("a/film.png"), name_of("a/film.dcm"), name_of("a/1.2.3.4")
    ('a/film', 'a/film.dcm', 'a/1.2.3.4')
    """
    name = _without_png(image)
    longest = max(len(part.encode("utf-8", "backslashreplace")) for part in name.split("/"))
    return name if longest <= _LONGEST_NAME and not _NO_FILE_NAME.search(name) else hashed_name(image)


def _without_png(image: str) -> str:
    """The image without ``.png``, unless that is another picture: ``film.dcm.png`` may lie beside ``film.dcm``."""
    stem = image.removesuffix(".png")
    return image if by_name(PurePosixPath(stem).name) or stem.endswith(("/", ".")) else stem


def hashed_name(image: str) -> str:
    """A NAME made of what is harmless in a path and a hash of all of it."""
    sha256 = hashlib.sha256(image.encode("utf-8", "backslashreplace")).hexdigest()
    folder, _, file = _NO_FILE_NAME.sub("~", image).rpartition("/")
    while len(file.encode()) > _LONGEST_NAME:
        file = file[: len(file) * 3 // 4]
    return str(PurePosixPath(folder, f"{file}~{sha256[:12]}"))


def name_before(image: str) -> str:
    """NAME that an image had in results of old, unless another lay beside it: its path without what follows a dot."""
    path = PurePosixPath(image)
    return str(path.with_suffix("")) if path.name else image


def _stem(image: str) -> str:
    path = PurePosixPath(image)
    return str(path.with_suffix("")) if by_name(path.name) else image
