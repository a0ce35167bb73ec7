"""Thousands of broken files through the door that strangers' files come in by: no crash, no hang, no foreign error.

    python benchmarks/bench_hostile.py [--files N] [--seed S]

Each file is a small sound one (DICOM in several transfer syntaxes, PNG, JPEG, TIFF in several compressions, BMP, PGM,
label images) with some bytes flipped, cut off, doubled, filled up or set to extreme numbers. Whatever comes of it must
be a picture or one line of our own errors, within the limits; the report counts both, and what made the decoding
process die or take too long (which is no fault: that is what it is for). Exit code 1 for anything else.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
import tifffile
from PIL import Image as Picture
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from calcimeasure.errors import CalcimeasureError
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.read import describe, read_image
from calcimeasure.io.results.masks import read_labels, write_labels
from calcimeasure.model.image import Spacing, SpacingOrigin
from calcimeasure.model.labels import Labels

_SECONDS, _BYTES = 10.0, 2e9
_SHAPE = (48, 40)
_GREY = np.random.default_rng(7).integers(0, 4000, _SHAPE, np.uint16)
_COLOUR = np.random.default_rng(8).integers(0, 255, (*_SHAPE, 3), np.uint8)
_BYTE = (_GREY >> 4).astype(np.uint8)
_SYNTAXES = {
    "explicit": ("1.2.840.10008.1.2.1", None),
    "implicit": ("1.2.840.10008.1.2", None),
    "big": ("1.2.840.10008.1.2.2", None),
    "jpeg2000": ("1.2.840.10008.1.2.4.90", lambda: imagecodecs.jpeg2k_encode(_GREY, codecformat="J2K")),
    "jpegls": ("1.2.840.10008.1.2.4.80", lambda: imagecodecs.jpegls_encode(_GREY)),
    "lossless": ("1.2.840.10008.1.2.4.70", lambda: imagecodecs.ljpeg_encode(_GREY)),
}
_COMPRESSIONS = (None, "lzw", "zlib", "packbits", "lzma", "zstd", "jpeg2000", "jpegxl", "png", "webp", "jpeg")


def sound_files() -> dict[str, bytes]:
    """A small sound file of every sort, by its name."""
    files = {f"dicom_{name}.dcm": _dicom(*how) for name, how in _SYNTAXES.items()}
    for form in ("PNG", "JPEG", "BMP", "PPM", "TIFF"):
        files[f"colour.{form.lower()}"] = _picture(_COLOUR, form)
    files |= {
        "grey.png": _picture(_GREY, "PNG"),
        "grey.jpg": _picture(_BYTE, "JPEG"),
        "grey.pgm": _picture(_BYTE, "PPM"),
    }
    return files | {f"{name or 'plain'}.tif": _tiff(name) for name in _COMPRESSIONS} | {"film.labels.tif": _labels()}


def _picture(array: np.ndarray, form: str) -> bytes:
    target = io.BytesIO()
    Picture.fromarray(array).save(target, form)
    return target.getvalue()


def _tiff(compression: str | None) -> bytes:
    target = io.BytesIO()
    lossy = compression in ("webp", "jpeg")
    array, photometric = (_COLOUR, "rgb") if lossy else (_BYTE if compression == "jpegxl" else _GREY, "minisblack")
    tifffile.imwrite(target, array, compression=compression, photometric=photometric, rowsperstrip=16)
    return target.getvalue()


def _labels() -> bytes:
    mask = np.zeros(_SHAPE, np.int32)
    mask[4:9, 5:12] = 1
    mask[20:30, 20:33] = 2
    with TemporaryDirectory() as folder:
        path = Path(folder, "film.labels.tif")
        write_labels(path, Labels(mask), Spacing.of(0.2, 0.2, SpacingOrigin.USER))
        return path.read_bytes()


def _dicom(syntax: str, encode: object) -> bytes:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Modality, data.PhotometricInterpretation, data.SamplesPerPixel = "CR", "MONOCHROME2", 1
    data.Rows, data.Columns = _SHAPE
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.PixelSpacing, data.WindowCenter, data.WindowWidth = [0.2, 0.2], 2000, 4000
    order = ">u2" if syntax.endswith(".2.2") else "<u2"
    data.PixelData = encapsulate([encode()]) if callable(encode) else _GREY.astype(order).tobytes()
    data["PixelData"].VR = "OB" if callable(encode) else "OW"
    target = io.BytesIO()
    data.save_as(target, enforce_file_format=True)
    return target.getvalue()


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The bytes with up to six changes, more of them near the start, where headers are."""
    data = bytearray(content)
    for _ in range(int(random.integers(1, 7))):
        reach = len(data) if random.random() < 0.5 else min(len(data), 400)
        _change(data, int(random.integers(reach)), random)
    return bytes(data)


def _change(data: bytearray, at: int, random: np.random.Generator) -> None:
    run = int(random.integers(1, 64))
    match int(random.integers(7)):
        case 0:
            data[at] ^= 1 << int(random.integers(8))
        case 1:
            data[at] = int(random.integers(256))
        case 2 if len(data) > 200:
            del data[max(at, 100) :]
        case 3:
            data[at:at] = data[at : at + run]
        case 4:
            data[at:at] = random.bytes(run)
        case 5:
            data[at : at + 2] = struct.pack("<H", int(random.choice([0, 1, 0x7FFF, 0xFFFF, 0x8000])))
        case _:
            data[at : at + 4] = struct.pack("<I", int(random.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1])))


def outcome(name: str, content: bytes) -> str:
    """What came of a file, in a word."""
    try:
        if ".labels." in name:
            return _mask_outcome(name, content)
        read_image(FileBytes(name, content))
        describe(FileBytes(name, content))
    except CalcimeasureError as error:
        told = str(error)
        if "\n" in told or not told.startswith(name):
            return f"BAD LINE {told[:80]!r}"
        return next((word for word in ("process die", "in the time") if word in told), type(error).__name__)
    except Exception as error:  # noqa: BLE001 - a foreign error is what is looked for
        return f"FOREIGN {type(error).__name__}: {error}"
    return "picture"


def _mask_outcome(name: str, content: bytes) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        read_labels(path, _SHAPE)
    return "mask"


def main() -> int:
    """Run and print a table; 1 when something came through that must not."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    sound, random = sound_files(), np.random.default_rng(asked.seed)
    counts: Counter[str] = Counter()
    slowest = 0.0
    for number in range(asked.files):
        name = list(sound)[number % len(sound)]
        begun = time.process_time(), time.monotonic()
        word = outcome(name, mutated(sound[name], random))
        slowest = max(slowest, time.monotonic() - begun[1])
        counts[word] += 1
        if word.startswith(("FOREIGN", "BAD")) or word in ("process die", "in the time"):
            print(f"{number} {name}: {word}", flush=True)
    for word, count in counts.most_common():
        print(f"{count:6} {word}")
    print(f"slowest {slowest:.1f} s, memory {_peak_bytes() / 1e9:.2f} GB")
    bad = sum(count for word, count in counts.items() if word.startswith(("FOREIGN", "BAD")))
    return int(bad > 0 or slowest > _SECONDS or _peak_bytes() > _BYTES)


def _peak_bytes() -> float:
    """Most memory of this process and of those that decoded for it, as far as they have ended."""
    if sys.platform == "win32":
        return 0.0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return float(
        sum(resource.getrusage(who).ru_maxrss * unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


if __name__ == "__main__":
    sys.exit(main())
