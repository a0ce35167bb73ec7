"""Small files that ask for much: bombs, lies and loops, drawn here byte by byte."""

import io
import struct
import zlib
from collections.abc import Mapping

import imagecodecs
import numpy as np
from PIL import Image as Picture

SMALL = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
SIDE = 9000
Tags = Mapping[int, tuple[int, list[int]]]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def zeros(count: int, *, bare: bool = False) -> bytes:
    """So many zeros, deflated: a byte for a thousand."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15 if bare else 15)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(count >> 20)) + packer.flush()


def png(side: int, packed: bytes, *extra: bytes, bits: int = 8) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def small_png(*extra: bytes) -> bytes:
    return png(64, zlib.compress(b"".join(b"\0" + row.tobytes() for row in SMALL)), *extra)


def jpeg(side: int = 256, *, progressive: bool = False) -> bytes:
    target = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (side, side), np.uint8)
    Picture.fromarray(noise).save(target, "JPEG", progressive=progressive)
    return target.getvalue()


def jpeg_of_many_scans() -> bytes:
    whole = jpeg(64, progressive=True)
    last = whole[whole.rfind(b"\xff\xda") : -2]
    return whole[:-2] + last * 300 + b"\xff\xd9"


def jpeg_of_side(side: int) -> bytes:
    """A tiny JPEG that declares a giant."""
    whole = bytearray(jpeg(64))
    at = whole.find(b"\xff\xc0")
    whole[at + 5 : at + 9] = struct.pack(">HH", side, side)
    return bytes(whole)


def tiff(data: bytes, side: int = 64, **facts: object) -> bytes:
    """A grey TIFF of one page around these bytes; `compression`, `bits`, or more `tags` by number."""
    tags: dict[int, tuple[int, list[int]]] = {256: (4, [side]), 257: (4, [side]), 258: (3, [int(facts.get("bits", 8))])}
    tags |= {259: (3, [int(facts.get("compression", 1))]), 262: (3, [1]), 273: (4, [8]), 277: (3, [1])}
    tags |= {278: (4, [side]), 279: (4, [len(data)])} | dict(facts.get("tags", {}))
    body, entries = bytearray(b"II*\0\0\0\0\0" + data), b""
    for number, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        where = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", len(body))
        body += packed if len(packed) > 4 else b""
        entries += struct.pack("<HHI", number, kind, len(values)) + where
    body[4:8] = struct.pack("<I", len(body))
    return bytes(body) + struct.pack("<H", len(tags)) + entries + bytes(4)


def tiff_of_pieces(count: int) -> bytes:
    return tiff(bytes(16), 1000, tags={273: (4, [8] * count), 279: (4, [1] * count), 278: (4, [1])})


def tiff_of_tiles(count: int) -> bytes:
    tiles = {322: (4, [16]), 323: (4, [16]), 324: (4, [8] * count), 325: (4, [1] * count)}
    return tiff(bytes(16), 6000, tags=tiles)


def tiff_of_pages(count: int) -> bytes:
    entry = struct.pack("<HHHII", 1, 256, 4, 1, 64)
    ends = [8 + (number + 1) * 18 for number in range(count - 1)] + [0]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(entry + struct.pack("<I", end) for end in ends)


def big(name: str) -> bytes:
    """A codestream of a black 1000 x 1000 picture."""
    encode = getattr(imagecodecs, f"{name}_encode")
    black = np.zeros((1000, 1000, 3) if name == "webp" else (1000, 1000), np.uint8)
    return bytes(encode(black))


BOMB = zeros(128 << 20)
EXIF = b"II*\0\x08\0\0\0" + struct.pack("<H", 6000) + struct.pack("<HHII", 274, 3, 2**32 - 1, 0) * 6000
COMPRESSIONS = {"jpeg": 7, "png": 34933, "webp": 50001, "jpegxl": 50002, "jpeg2k": 34712, "jpegls": 34712}

#: What each holds, by the name of its file; the reader must refuse these.
REFUSED = {
    "blank.png": png(SIDE, zeros(SIDE * (SIDE + 1))),
    "blank16.png": png(SIDE, zeros(2 * SIDE * SIDE), bits=16),
    "text.png": small_png(chunk(b"zTXt", b"Comment\0\0" + BOMB)),
    "unicode.png": small_png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB)),
    "profile.png": small_png(chunk(b"iCCP", b"icc\0\0" + BOMB)),
    "texts.png": small_png(chunk(b"zTXt", b"C\0\0" + zlib.compress(bytes(1_000_000))) * 80),
    "scans.jpg": jpeg_of_many_scans(),
    "giant.jpg": jpeg_of_side(19000),
    "short.jpg": jpeg(2000)[:700] + b"\xff\xd9",
    "short_large.jpg": jpeg_of_side(2000),
    "giant.pgm": b"P5 20000 20000 255\n" + bytes(10),
    "giant.bmp": b"BM"
    + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 1078, 40, SIDE, SIDE, 1, 8, 1, 0, 0, 0, 256, 0)
    + bytes(1024)
    + b"\xff\0" * 500,
    "blank.tif": tiff(zeros(SIDE * SIDE), SIDE, compression=8),
    "strips.tif": tiff_of_pieces(200_000),
    "tiles.tif": tiff_of_tiles(200_000),
    "pages.tif": tiff_of_pages(20_000),
    "xr.tif": tiff(bytes(100), compression=34934),
    **{f"{name}.tif": tiff(big(name), compression=number) for name, number in COMPRESSIONS.items()},
    "scans.tif": tiff(jpeg_of_many_scans(), compression=7),
}

#: Sound pictures with something monstrous beside them, or behind their end.
READ = {
    "behind.png": png(64, BOMB),
    "behind.tif": tiff(BOMB, compression=8),
    "zstd.tif": tiff(imagecodecs.zstd_encode(SMALL.tobytes()), compression=50000),
    "exif.png": small_png(chunk(b"eXIf", EXIF)),
    "jpeg2k_fits.tif": tiff(imagecodecs.jpeg2k_encode(SMALL), compression=34712),
    "jpegxl_fits.tif": tiff(imagecodecs.jpegxl_encode(SMALL), compression=50002),
    "png_fits.tif": tiff(imagecodecs.png_encode(SMALL), compression=34933),
}
