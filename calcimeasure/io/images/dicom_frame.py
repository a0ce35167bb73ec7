"""One frame of a DICOM file: checked against what its header says, decoded, and its values cut from their words."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import UID, UID_dictionary

from calcimeasure.errors import DamagedFile, UnsupportedFile
from calcimeasure.io.images.codestream import (
    Family,
    check_jpeg,
    declared_channels,
    declared_family,
    declared_signed,
    declared_size,
)
from calcimeasure.io.images.colour import is_grey
from calcimeasure.io.images.dicom_header import GREY, Header
from calcimeasure.io.images.part10 import EXPLICIT_BIG, NATIVE, PixelElement
from calcimeasure.io.images.stored_words import Layout, check_order, check_sign, roughness, values_in
from calcimeasure.io.images.untrusted import check_packing, check_size
from calcimeasure.model.arrays import Pixels
from calcimeasure.model.warning import Code, Remark

_JPEG = "1.2.840.10008.1.2.4."
# One decoder for each syntax, so that every machine gets the same values.
_DECODERS = {
    _JPEG + "50": ("pillow", Family.JPEG),
    _JPEG + "51": ("pillow", Family.JPEG),
    _JPEG + "57": ("gdcm", Family.JPEG_LOSSLESS),
    _JPEG + "70": ("gdcm", Family.JPEG_LOSSLESS),
    _JPEG + "80": ("pyjpegls", Family.JPEG_LS),
    _JPEG + "81": ("pyjpegls", Family.JPEG_LS),
    _JPEG + "90": ("pylibjpeg", Family.JPEG_2000),
    _JPEG + "91": ("pylibjpeg", Family.JPEG_2000),
    _JPEG + "201": ("pylibjpeg", Family.JPEG_2000),
    _JPEG + "202": ("pylibjpeg", Family.JPEG_2000),
    _JPEG + "203": ("pylibjpeg", Family.JPEG_2000),
    "1.2.840.10008.1.2.5": ("pylibjpeg", None),
}
_JPEG_LS, _JPEG_END = (_JPEG + "80", _JPEG + "81"), b"\xff\xd9"
_JPEG_EXTENDED, _RLE = _JPEG + "51", "1.2.840.10008.1.2.5"
# Two bytes of RLE stand for at most 128; a large picture that nearly gets there is of one colour.
_RLE_BEST, _RLE_EMPTY = 64, 60
# So much smoother must a colour picture be with its channels stored the other way before the header is called wrong.
_SMOOTHER = 3.0
# Or so much smoother, when the steps from channel to channel are alike up to this ratio.
_A_LITTLE_SMOOTHER, _ALIKE = 1.05, 1.1


@dataclass(frozen=True, slots=True)
class OpenedDicom:
    """A DICOM file with its header read and its pixels not yet.

    Parameters
    ----------
    name, stream, dataset, header
        The file.
    element : PixelElement or None
        Where the pixels lie; `None` when there are none.
    size : int
        Bytes of the file.
    warnings : tuple of Remark
        What was met while opening it.
    over : tuple of Dataset
        What is said of the one frame that is read, and holds before what is said of all.
    """

    name: str
    stream: BinaryIO
    dataset: Dataset
    header: Header
    element: PixelElement | None
    size: int
    warnings: tuple[Remark, ...] = ()
    over: tuple[Dataset, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DicomFrame:
    """Values of one frame, how many bits they have, and what to know: (rows, columns), or (rows, columns, 3) in RGB."""

    values: Pixels
    bits: int
    warnings: tuple[Remark, ...] = ()


def read_frame(opened: OpenedDicom, frame: int, max_megapixels: float) -> DicomFrame:
    """The values of a frame, counted from 1.

    Raises
    ------
    UnsupportedFile, DamagedFile, TooLarge
        Before any memory is taken for the pixels where the header tells, else when they contradict it.
    """
    header, name = opened.header, opened.name
    if header.samples not in (1, 3):
        raise UnsupportedFile(f"{name}: has {header.samples} samples a pixel; only greyscale and colour are read")
    shape = (header.rows or 0, header.columns or 0, header.samples)
    bytes_each = max((header.bits_allocated or 8) // 8, 1)
    check_size(name, shape, bytes_each, max_megapixels)
    check_packing(name, shape, bytes_each, opened.size)
    if header.transfer_syntax in NATIVE:
        return _native(opened, frame)
    return _compressed(opened, frame)


# ----------------------------------------------------------------------------------------------- uncompressed


def _native(opened: OpenedDicom, frame: int) -> DicomFrame:
    stored, warnings = _native_bytes(opened, frame)
    header = opened.header
    if header.samples == 3:
        _check_channels(opened, stored)
    array = _array(opened, stored, (frame - 1) % 8 if header.bits_allocated == 1 else 0)
    if header.photometric in GREY and header.bits_allocated != 1:
        check_order(array, opened.name)
    found = _cut_out(opened, array, header.bits_allocated or 8)
    return replace(found, warnings=warnings + found.warnings)


def _native_bytes(opened: OpenedDicom, frame: int) -> tuple[bytes, tuple[Remark, ...]]:
    """The bytes of one frame; of single bits, those of its group of eight frames, which begins with a whole byte."""
    element, header = opened.element, opened.header
    if element is None or element.length is None:
        raise DamagedFile(f"{opened.name}: its transfer syntax says uncompressed, but its pixels are compressed")
    each = _frame_bits(header)
    held = min(element.length, opened.stream.seek(0, io.SEEK_END) - element.at)
    warnings = _check_length(opened, held, math.ceil(each * header.frames / 8))
    single = header.bits_allocated == 1
    first = (frame - 1) // 8 * 8 if single else frame - 1
    opened.stream.seek(element.at + first * each // 8)
    count = math.ceil(each * (frame - first) / 8)
    # Of exchanged bytes the last one lies behind the picture when their number is odd.
    return opened.stream.read(count + count % 2 if _is_swapped(opened) else count), warnings


def _frame_bits(header: Header) -> int:
    # Two pixels of 4:2:2 share their colour: two samples a pixel instead of three.
    samples = 2 if header.photometric == "YBR_FULL_422" else header.samples
    return (header.rows or 0) * (header.columns or 0) * samples * (header.bits_allocated or 8)


def _check_length(opened: OpenedDicom, held: int, needed: int) -> tuple[Remark, ...]:
    """Nothing, a warning of a few bytes too many, or the reason why the pixels cannot be what the header says."""
    rows, columns = opened.header.rows, opened.header.columns
    if held < needed:
        raise DamagedFile(f"{opened.name}: is too short for the {rows} x {columns} pixels it declares")
    more = held - needed
    if more >= max(needed // (rows or 1), 2) or _tail(opened, more).strip(b"\0"):
        raise DamagedFile(
            f"{opened.name}: holds {held} bytes of pixels, but its header declares {needed}: rows, columns, frames or "
            "bits are wrong"
        )
    return (Remark.of(Code.BYTES_LEFT_OVER, count=more),) if more > needed % 2 else ()


def _tail(opened: OpenedDicom, count: int) -> bytes:
    """The last bytes of the pixels, without the one that may make them even."""
    element = opened.element
    if element is None or element.length is None or count < 2:
        return b""
    opened.stream.seek(element.at + element.length - count)
    return opened.stream.read(count)


def _check_channels(opened: OpenedDicom, stored: bytes) -> None:
    """Colour stored plane by plane, or pixel by pixel, as PlanarConfiguration says."""
    header = opened.header
    if header.bits_allocated != 8 or header.photometric == "YBR_FULL_422" or _is_swapped(opened):
        return
    flat = np.frombuffer(stored, np.uint8)
    by_pixel = flat.reshape(header.rows or 0, header.columns or 0, 3)
    by_plane = np.moveaxis(flat.reshape(3, header.rows or 0, header.columns or 0), 0, -1)
    said, other = (by_plane, by_pixel) if header.planar else (by_pixel, by_plane)
    gain = _channel_roughness(said) / (_channel_roughness(other) or 1.0) if said.shape[1] > 1 else 0.0
    rough = gain > _SMOOTHER or (gain > _A_LITTLE_SMOOTHER and not header.planar and _alike(flat))
    if rough or (header.photometric == "RGB" and _more_grey(other, said)):
        raise DamagedFile(f"{opened.name}: its colours are not stored as its PlanarConfiguration says")


def _alike(flat: Pixels) -> bool:
    """Whether steps from red to green, green to blue and blue to the next red are alike, as within one plane."""
    some = flat[: len(flat) // 3 * 3].astype(np.int16)
    means = np.abs(np.diff(some))[: len(some) - 3].reshape(-1, 3).mean(axis=0)
    return bool(0 < means.max() < _ALIKE * means.min())


def _more_grey(other: Pixels, said: Pixels) -> bool:
    """Whether a picture is grey in one order of its channels alone, or wholly without colour in one alone."""
    wholly = [bool((order == order[..., :1]).all()) for order in (other, said)]
    return (is_grey(other) and not is_grey(said)) or (wholly[0] and not wholly[1])


def _channel_roughness(colour: Pixels) -> float:
    some = colour[:: max(1, colour.shape[0] // 256)]
    return max(roughness(some[..., channel]) for channel in range(3))


# ------------------------------------------------------------------------------------------------- compressed


def _compressed(opened: OpenedDicom, frame: int) -> DicomFrame:
    header, name = opened.header, opened.name
    syntax = header.transfer_syntax or ""
    if syntax not in _DECODERS:
        raise UnsupportedFile(f"{name}: transfer syntax {_syntax_name(syntax)} cannot be read; convert the file")
    if opened.element is None or opened.element.length is not None:
        raise DamagedFile(f"{name}: its transfer syntax says {_syntax_name(syntax)}, but its pixels are not compressed")
    if syntax == _JPEG_EXTENDED and (header.bits_stored or 0) > 8:
        raise UnsupportedFile(
            f"{name}: 12-bit {_syntax_name(syntax)} cannot be read: no permissive decoder exists; "
            "ask the archive for an uncompressed copy"
        )
    if syntax == _RLE:
        return _run_length(opened, frame)
    stored = _fragments(opened, frame)
    bits = _check_declared(opened, stored)
    # Decoders believe the header's depth; theirs is the picture's own.
    allocated = 8 if _DECODERS[syntax][1] is Family.JPEG else opened.header.bits_allocated
    own = replace(opened.header, bits_stored=bits, bits_allocated=allocated)
    found = _of_depth(opened, _array(replace(opened, header=own), stored), bits)
    return replace(found, warnings=found.warnings + _sign_words(stored, signed=own.signed))


def _run_length(opened: OpenedDicom, frame: int) -> DicomFrame:
    rows, columns = opened.header.rows or 0, opened.header.columns or 0
    if _frame_bits(opened.header) / 8 > opened.size * _RLE_BEST:
        raise DamagedFile(f"{opened.name}: is too short for the {rows} x {columns} pixels it declares")
    shape, bytes_each = (rows, columns, opened.header.samples), (opened.header.bits_allocated or 8) // 8
    check_packing(opened.name, shape, bytes_each, opened.size, _RLE_EMPTY)
    return _cut_out(opened, _array(opened, _fragments(opened, frame)), opened.header.bits_allocated or 8)


def _fragments(opened: OpenedDicom, frame: int) -> bytes:
    opened.stream.seek(opened.element.at if opened.element else 0)
    return bytes(get_frame(opened.stream, frame - 1, number_of_frames=opened.header.frames))


def _check_declared(opened: OpenedDicom, stored: bytes) -> int:
    """The depth that a compressed picture declares itself, once its family, size and depth fit the header."""
    header, name = opened.header, opened.name
    syntax = header.transfer_syntax or ""
    if syntax in _JPEG_LS and _JPEG_END not in stored[-16:]:
        # CharLS spends seconds per megapixel on a stream without an end before it gives up.
        raise DamagedFile(f"{name}: is truncated: its compressed picture has no end")
    check_jpeg(name, stored)
    check_packing(name, (header.rows or 0, header.columns or 0, header.samples), 1, len(stored))
    family, declared = declared_family(stored), declared_size(stored)
    if declared is None or declared[:2] != (header.rows, header.columns):
        found = "no picture" if declared is None else f"{declared[0]} x {declared[1]} pixels"
        raise DamagedFile(
            f"{name}: declares {header.rows} x {header.columns} pixels, but its compressed data hold {found}"
        )
    if family is not _DECODERS[syntax][1]:
        raise DamagedFile(f"{name}: its transfer syntax says {_syntax_name(syntax)}, but its pixels are {family}")
    if (channels := declared_channels(stored)) != header.samples:
        raise DamagedFile(f"{name}: declares {header.samples} samples a pixel, its compressed data have {channels}")
    if declared[2] > (header.bits_allocated or 8):
        raise DamagedFile(f"{name}: allocates {header.bits_allocated} bits, but its compressed data have {declared[2]}")
    return declared[2]


def _of_depth(opened: OpenedDicom, array: Pixels, bits: int) -> DicomFrame:
    """The values of a compressed picture; its own depth is believed, the header's only where it moves the value up."""
    header = opened.header
    stored = header.bits_stored or bits
    if stored < bits and header.high_bit == bits - 1:
        return _cut_out(opened, array, bits)
    words = () if stored == bits else (Remark.of(Code.BITS_MISSTATED, bits=bits, stated=stored),)
    return _frame(opened, array, Layout(bits, bits, signed=header.signed), words)


def _sign_words(stored: bytes, *, signed: bool) -> tuple[Remark, ...]:
    if declared_signed(stored) in (None, signed):
        return ()
    return (Remark.of(Code.SIGN_MISSTATED),)


def _syntax_name(syntax: str | None) -> str:
    """Its name and number; one that the standard does not know could be anything, and is not repeated."""
    return f"{UID(syntax).name} ({syntax})" if syntax in UID_dictionary else "of an unknown kind"


# ---------------------------------------------------------------------------------------------------- decoding


def _array(opened: OpenedDicom, stored: bytes, index: int = 0) -> Pixels:
    """The words of a frame as its decoder gives them, colours as RGB and pixel by pixel."""
    header = opened.header
    native = header.transfer_syntax in NATIVE
    array, _ = get_decoder(UID(header.transfer_syntax or "")).as_array(
        stored if native else encapsulate([stored]),
        index=index,
        decoding_plugin=_DECODERS.get(header.transfer_syntax or "", ("", None))[0],
        correct_unused_bits=False,
        be_swap_ow=_is_swapped(opened),
        rows=header.rows,
        columns=header.columns,
        samples_per_pixel=header.samples,
        number_of_frames=index + 1,
        bits_allocated=header.bits_allocated,
        bits_stored=header.bits_stored or header.bits_allocated,
        pixel_representation=int(header.signed),
        photometric_interpretation=header.photometric,
        planar_configuration=header.planar or 0,
        pixel_keyword="PixelData",
    )
    if array.ndim not in (2, 3):
        raise UnsupportedFile(f"{opened.name}: has {array.ndim} dimensions; only single planes are read")
    return np.asarray(array.astype(array.dtype.newbyteorder("="), copy=False))


def _is_swapped(opened: OpenedDicom) -> bool:
    """Whether bytes lie in words of the big-endian order, two pixels in each exchanged."""
    header, element = opened.header, opened.element
    return header.transfer_syntax == EXPLICIT_BIG and header.bits_allocated == 8 and bool(element and element.in_words)


def _cut_out(opened: OpenedDicom, array: Pixels, word: int) -> DicomFrame:
    """The values of words in which the header says where they lie."""
    header = opened.header
    layout = Layout(
        word, header.bits_stored or word, header.high_bit, header.signed, header.overlay_bits, header.padding_word
    )
    if layout.high_is_possible:
        return _frame(opened, array, layout, ())
    doubt = Remark.of(Code.HIGH_BIT_IMPOSSIBLE, high_bit=header.high_bit, bits=layout.stored)
    return _frame(opened, array, layout, (doubt,))


def _frame(opened: OpenedDicom, array: Pixels, layout: Layout, warnings: tuple[Remark, ...]) -> DicomFrame:
    if array.dtype.itemsize * 8 < layout.word or array.dtype.kind not in "iu":
        raise DamagedFile(f"{opened.name}: its decoded pixels are not the {layout.word} bits that its header declares")
    values = values_in(array, layout, opened.name)
    if opened.header.photometric in GREY:
        check_sign(values, layout, opened.name)
    return DicomFrame(values, layout.stored, warnings)
