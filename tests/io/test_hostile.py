"""Files that were made to do harm end in one line; what decodes them has limits and may die."""

import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile_files import COMPRESSIONS, READ, REFUSED, SMALL, big, jpeg, small_png, tiff
from PIL import Image as Picture

from calcimeasure.errors import DamagedFile, MaskError, ReadError, TooLarge
from calcimeasure.io.images import decoder, limits
from calcimeasure.io.images.codestream import declared_size
from calcimeasure.io.images.file_bytes import FileBytes
from calcimeasure.io.images.limits import Limits
from calcimeasure.io.images.read import describe, read_image
from calcimeasure.io.results.masks import read_labels, read_region

HERE = Path(__file__).parent
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the system keeps no such limit")


@pytest.fixture
def our_decoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[decoder._Decoder]:
    """A decoder of this test alone, so that the others keep theirs."""
    mine = decoder._Decoder()
    monkeypatch.setattr(decoder, "_decoder", lambda pid: mine)
    yield mine
    mine.stop()


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def one_line(error: Exception, path: Path) -> None:
    assert str(error).startswith(path.name)
    assert "\n" not in str(error)
    assert str(path.parent) not in str(error)


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_asks_for_much_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, REFUSED[name])
    with pytest.raises(ReadError) as caught:
        read_image(path)
    one_line(caught.value, path)


@pytest.mark.parametrize("name", READ)
def test_what_stands_beside_a_sound_picture_does_no_harm(tmp_path: Path, name: str) -> None:
    assert read_image(written(tmp_path, name, READ[name])).shape == (64, 64)


@pytest.mark.parametrize("name", [name for name in REFUSED if name.endswith((".tif", ".png"))])
def test_no_mask_or_region_asks_for_much(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, REFUSED[name])
    for read in (read_labels, read_region):
        with pytest.raises(MaskError) as caught:
            read(path, (70, 70))
        one_line(caught.value, path)


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_every_codestream_tells_its_size(name: str) -> None:
    assert (declared_size(big(name)) or ())[:2] == (1000, 1000)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\x0a", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x0cjP  " * 3, b"abc"])
def test_what_is_no_codestream_tells_no_size(content: bytes) -> None:
    assert declared_size(content) is None


def test_odd_things_in_the_place_of_a_file_end_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    with (tmp_path / "hole.dcm").open("wb") as hole:
        hole.truncate(1 << 40)
    (tmp_path / "empty.png").touch()
    names = ["folder.png", "loop.png", "hole.dcm", "empty.png", "absent.png", "n" * 300 + ".png"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        names.append("pipe.png")
    for name in names:
        with pytest.raises(ReadError) as caught:
            read_image(tmp_path / name)
        one_line(caught.value, tmp_path / name)


def test_a_name_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    path = written(tmp_path, "a\x1b[2J\n\u202egnp.png", b"no picture")
    with pytest.raises(ReadError) as caught:
        read_image(path)
    assert str(caught.value).isprintable()
    assert "\\x1b[2J\\x0a\\u202egnp.png" in str(caught.value)


def test_the_bytes_that_are_hashed_are_those_that_are_decoded(tmp_path: Path) -> None:
    path = written(tmp_path, "film.png", small_png())
    file = FileBytes.of(path)
    path.write_bytes(b"swapped")
    np.testing.assert_array_equal(read_image(file).pixels, SMALL)
    assert file.sha256 != FileBytes.of(path).sha256


# --- the process that decodes -------------------------------------------------------------------------------


def test_a_process_that_died_is_replaced_and_the_next_film_read(tmp_path: Path, our_decoder: decoder._Decoder) -> None:
    path = written(tmp_path, "film.png", small_png())
    read_image(path)
    first = our_decoder._process
    assert first is not None
    first.kill()
    np.testing.assert_array_equal(read_image(path).pixels, SMALL)
    assert our_decoder._process is not first


def acting(monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    """Let the process that decodes do this with every file."""
    begin = decoder._COMMAND.replace("serve()", f"child._done = lambda head, file: {act}; serve()")
    command = begin.replace("import serve;", "import serve; import calcimeasure.io.images.decoder_child as child;")
    monkeypatch.setattr(decoder, "_COMMAND", command)


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        ("__import__('os').abort()", DamagedFile, "made its reader process die"),
        ("__import__('ctypes').string_at(0)", DamagedFile, "made its reader process die"),
        ("__import__('os')._exit(0)", DamagedFile, "made its reader process die"),
        ("__import__('os').write(1, b'noise' * 99) and 1 / 0", DamagedFile, "ZeroDivisionError"),
        ("__import__('sys').exit('bye')", DamagedFile, "made its reader process die"),
        pytest.param("bytearray(10**13)", TooLarge, "memory", marks=POSIX),
        pytest.param("[0] * 10**9", TooLarge, "memory", marks=POSIX),
    ],
)
def test_what_happens_to_the_process_is_one_line(
    our_decoder: decoder._Decoder, monkeypatch: pytest.MonkeyPatch, act: str, error: type[ReadError], words: str
) -> None:
    acting(monkeypatch, act)
    with pytest.raises(error, match=words) as caught:
        read_image(FileBytes("film.png", small_png()))
    one_line(caught.value, HERE / "film.png")


@POSIX
@pytest.mark.parametrize("act", ["exec('while True: pass')", "sum(range(10**12))", "__import__('time').sleep(1000)"])
def test_a_process_that_takes_too_long_is_ended(
    our_decoder: decoder._Decoder, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    monkeypatch.setattr(limits, "_SECONDS", 0.3)
    acting(monkeypatch, act)
    with pytest.raises(DamagedFile, match="in the time"):
        read_image(FileBytes("film.png", small_png()))
    assert our_decoder._process is None


def test_a_reader_that_is_called_away_leaves_no_answer_for_the_next(
    our_decoder: decoder._Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_image(FileBytes("film.png", small_png()))

    def interrupted(stream: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(decoder, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read_image(FileBytes("film.png", small_png()))
    assert read_image(FileBytes("other.jpg", jpeg(32))).shape == (32, 32)


def test_many_threads_read_their_own_film(tmp_path: Path) -> None:
    found: dict[int, tuple[int, int]] = {}

    def read(side: int) -> None:
        found[side] = read_image(FileBytes("film.jpg", jpeg(side))).shape

    threads = [threading.Thread(target=read, args=(8 * number,)) for number in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {8 * number: (8 * number, 8 * number) for number in range(2, 8)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_reads_by_its_own(tmp_path: Path) -> None:
    script = (
        "import os, sys; from calcimeasure import read_image; film = sys.argv[1]; read_image(film); child = os.fork()\n"
        "if child == 0: os._exit(read_image(film).shape != (64, 64))\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or read_image(film).shape != (64, 64))"
    )
    path = written(tmp_path, "film.png", small_png())
    assert subprocess.run([sys.executable, "-c", script, str(path)], timeout=60).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="processes end otherwise there")
def test_no_process_outlives_the_one_that_asks(tmp_path: Path) -> None:
    script = (
        "import os, sys; from calcimeasure import read_image; from calcimeasure.io.images import decoder\n"
        "read_image(sys.argv[1]); print(decoder._decoder(os.getpid())._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    path = written(tmp_path, "film.png", small_png())
    told = subprocess.run([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True, timeout=60)
    assert told.returncode == -signal.SIGKILL
    gone = threading.Event()
    for _ in range(100):
        try:
            os.kill(int(told.stdout), 0)
        except ProcessLookupError:
            gone.set()
            break
        threading.Event().wait(0.1)
    assert gone.is_set()


def test_larger_files_may_cost_more_and_a_raised_cap_too() -> None:
    small, large, raised = Limits.of(1000), Limits.of(10**8), Limits.of(1000, 1000)
    assert small.seconds < large.seconds
    assert small.memory < large.memory
    assert small.memory < raised.memory
    assert small.memory < 2e9


def test_the_header_of_a_bomb_is_described_without_it(tmp_path: Path) -> None:
    assert describe(written(tmp_path, "bomb.png", REFUSED["blank.png"])).form == "png"


# --- seeded mutations ---------------------------------------------------------------------------------------


def whole_files() -> dict[str, bytes]:
    return {
        "film.png": small_png(),
        "film.jpg": jpeg(64),
        "film.tif": tiff(SMALL.tobytes()),
        "deflated.tif": tiff(zlib.compress(SMALL.tobytes()), compression=8),
    }


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The bytes with some of them changed, cut off, doubled, or overwritten by extreme numbers."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        at = int(random.integers(len(data)))
        match int(random.integers(4)):
            case 0:
                data[at] ^= 1 << int(random.integers(8))
            case 1:
                data = data[: max(at, 1)]
            case 2:
                data[at:at] = data[at : at + int(random.integers(1, 64))]
            case _:
                extreme = int(random.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000]))
                data[at : at + 4] = struct.pack("<I", extreme)
    return bytes(data)


@pytest.mark.parametrize("name", whole_files())
def test_a_changed_file_gives_a_picture_or_one_line(name: str) -> None:
    random = np.random.default_rng(zlib.crc32(name.encode()))
    content = whole_files()[name]
    for _ in range(60):
        try:
            assert min(read_image(FileBytes(name, mutated(content, random))).shape) > 0
        except ReadError as error:
            one_line(error, HERE / name)


def test_a_picture_at_the_cap_is_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(2).integers(0, 255, (1000, 1000), np.uint8)
    target = tmp_path / "film.png"
    Picture.fromarray(noise).save(target)
    np.testing.assert_array_equal(read_image(target, max_megapixels=1).pixels, noise)
    with pytest.raises(TooLarge):
        read_image(target, max_megapixels=0.999)
