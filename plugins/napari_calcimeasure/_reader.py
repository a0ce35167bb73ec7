"""Films and photos opened in napari as calcimeasure reads them: upright, calcium bright, with scale and window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_calcimeasure._layers import LayerData, Opened, image_layer

Read = Callable[[str | Sequence[str]], list[LayerData]]


def reader_for(path: str | Sequence[str]) -> Read | None:
    """The reading function for a file, several files or a folder; `None` when nothing in it is a picture we know."""
    from calcimeasure.io.images.read import is_candidate

    paths = _paths(path)
    if all(one.is_dir() or is_candidate(one) for one in paths):
        return read
    return None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """An image layer for every file; for a folder the first image, with the folder noted as a worklist.

    Raises
    ------
    ReadError
        When a file cannot be read; napari shows its words.
    """
    return [layer for one in _paths(path) for layer in (_first_of(one) if one.is_dir() else [_opened(one)])]


def page(path: Path, folder: Path | None) -> LayerData:
    """The layer of one film of a worklist."""
    return _opened(path, folder)


def _paths(path: str | Sequence[str]) -> list[Path]:
    return [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]


def _opened(path: Path, folder: Path | None = None) -> LayerData:
    from calcimeasure.io.images.read import FileBytes, read_image

    film = FileBytes.of(path)
    return image_layer(Opened(read_image(film), path, folder, film.sha256), path.stem)


def _first_of(folder: Path) -> list[LayerData]:
    from calcimeasure.errors import UnknownFormat
    from calcimeasure.io.given.inputs import find_inputs

    files = find_inputs([folder]).files
    if not files:
        raise UnknownFormat(f"{folder.name}: holds no picture that is known here; choose a folder of films or photos")
    return [_opened(files[0].path, folder)]
