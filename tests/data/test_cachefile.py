import errno
import io
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tfdfm.data import cachefile
from tfdfm.errors import Failure


def _one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_what_is_written_is_read(cached):
    target, pixels, labels = cached
    contents = cachefile.read(target)
    np.testing.assert_array_equal(contents.pixels, pixels)
    np.testing.assert_array_equal(contents.labels, labels)
    assert contents.class_names == tuple("abcdefghij")
    assert contents.source == cachefile.source_of(target) == "a test"
    assert isinstance(contents.pixels, np.memmap)
    assert not contents.pixels.flags.writeable
    assert not contents.labels.flags.writeable
    assert os.listdir(target.parent) == [target.name]


def test_labels_out_of_range_make_the_set_unlabelled(tmp_path):
    rows = [(np.zeros((2, 2, 1), np.uint8), label) for label in (0, -1)]
    cachefile.write(tmp_path / "x.tfdfm", "s", (2, 2, 2, 1), ("a", "b"), rows)
    contents = cachefile.read(tmp_path / "x.tfdfm")
    assert contents.labels is None
    assert contents.class_names == ()


@pytest.mark.parametrize("kept", [0, 7, 20, 300, 4095, 4096, 5000, -405, -4, -1])
def test_a_truncated_file_is_named(cached, kept):
    target = cached[0]
    data = target.read_bytes()
    target.write_bytes(data[:kept])
    with pytest.raises(Failure, match="damaged") as error:
        cachefile.read(target)
    assert str(target) in _one_line(error)
    assert "delete it" in str(error.value)


def test_every_flipped_byte_is_found(cached):
    target = cached[0]
    data = target.read_bytes()
    rng = np.random.default_rng(1)
    for place in {*range(0, 4096, 97), *rng.integers(4096, len(data), 60).tolist(), len(data) - 1}:
        damaged = bytearray(data)
        damaged[place] ^= 1
        target.write_bytes(damaged)
        with pytest.raises(Failure, match="damaged"):
            cachefile.read(target)


def test_a_longer_file_and_another_version_are_damage(cached, monkeypatch):
    target = cached[0]
    monkeypatch.setattr(cachefile, "VERSION", 2)
    with pytest.raises(Failure, match="expected format version 2, found 1"):
        cachefile.read(target)
    monkeypatch.undo()
    target.write_bytes(target.read_bytes() + b"x")
    with pytest.raises(Failure, match="expected .* bytes, found"):
        cachefile.read(target)


def test_several_blocks_and_a_sampled_check(cached, monkeypatch):
    _, pixels, labels = cached
    monkeypatch.setattr(cachefile, "BLOCK", 1000)
    target = cached[0].with_name("blocks.tfdfm")
    cachefile.write(target, "s", pixels.shape, tuple("abcdefghij"), zip(pixels, labels, strict=True))
    np.testing.assert_array_equal(cachefile.read(target).pixels, pixels)
    monkeypatch.setattr(cachefile, "FULL_CHECK", 100)
    monkeypatch.setattr(cachefile, "SAMPLED_BLOCKS", 2)
    data = bytearray(target.read_bytes())
    data[4096 + 10_000] ^= 1  # outside the first and the last block: a sample may miss it
    target.write_bytes(data)
    cachefile.read(target)
    data[4096 + 19_190] ^= 1  # in the last one
    target.write_bytes(data)
    with pytest.raises(Failure, match="pixels are damaged"):
        cachefile.read(target)


def test_a_failed_preparation_leaves_nothing(tmp_path):
    def rows():
        yield np.zeros((2, 2, 1), np.uint8), 0
        raise Failure("broken source")

    with pytest.raises(Failure, match="broken source"):
        cachefile.write(tmp_path / "x.tfdfm", "s", (2, 2, 2, 1), ("a",), rows())
    with pytest.raises(Failure, match="Expected 3 images in s, found 1"):
        cachefile.write(tmp_path / "x.tfdfm", "s", (3, 2, 2, 1), ("a",), [(np.zeros((2, 2, 1), np.uint8), 0)])
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(Failure, match="it needs .* MB and .* MB are free") as error:
        cachefile.write(tmp_path / "x.tfdfm", "s", (10**9, 1000, 1000, 3), (), [])
    assert "XDG_CACHE_HOME" in _one_line(error)

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("builtins.open", lambda *_: Full())
    with pytest.raises(Failure, match="No space left on device"):
        cachefile.write(tmp_path / "x.tfdfm", "s", (1, 2, 2, 1), (), [(np.zeros((2, 2, 1), np.uint8), -1)])


_ENDLESS = """
import sys, time
from pathlib import Path
import numpy as np
from tfdfm.data import cachefile
def rows():
    for i in range(10**6):
        if i == 20000: print("writing", flush=True)
        if i > 20000: time.sleep(0.01)
        yield np.zeros((32, 32, 3), np.uint8), 0
cachefile.write(Path(sys.argv[1]), "s", (10**6, 32, 32, 3), ("a",), rows())
"""


def test_a_killed_writer_leaves_no_cache_and_its_rest_is_cleaned_up(tmp_path):
    target = tmp_path / "x.tfdfm"
    with subprocess.Popen([sys.executable, "-c", _ENDLESS, target], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "writing\n"
        child.send_signal(signal.SIGKILL)
    (rest,) = tmp_path.iterdir()
    assert rest.name == ".x.tfdfm.writing"
    cachefile.write(target, "s", (1, 2, 2, 1), ("a",), [(np.zeros((2, 2, 1), np.uint8), 0)])
    assert list(tmp_path.iterdir()) == [target]
    assert len(cachefile.read(target).pixels) == 1


_SPARSE = """
import json, sys, zlib
from pathlib import Path
import numpy as np, tensorflow as tf
from tfdfm.data import Images, batches, cachefile
count, shape = 700_000, (32, 32, 3)
size = count * 3072
blocks = [min(cachefile.BLOCK, size - i) for i in range(0, size, cachefile.BLOCK)]
crcs = {n: zlib.crc32(bytes(n)) for n in set(blocks)}
tail = np.zeros(count, "<i4").tobytes() + np.asarray([crcs[n] for n in blocks], "<u4").tobytes()
meta = dict(source="s", shape=[count, *shape], class_names=["a"], tail_crc=zlib.crc32(tail))
with open(sys.argv[1], "wb") as file:
    file.write(cachefile._header(meta, 4096))
    file.seek(4096 + size)
    file.write(tail)
def anonymous():
    return next(int(line.split()[1]) / 1e3 for line in open("/proc/self/status") if line.startswith("RssAnon"))
tf.zeros([1]) + 1
before = anonymous()
contents = cachefile.read(Path(sys.argv[1]))
images = Images("sparse", "", contents.pixels, contents.labels, contents.class_names)
rows = iter(batches(images, batch_size=64, first_step=0, last_step=3000, seed=0))
for _ in range(500): next(rows)
middle = anonymous()
for _ in rows: pass
print(json.dumps([size / 1e6, middle - before, anonymous() - middle]))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux's account of memory")
def test_two_gigabytes_are_mapped_and_not_loaded(tmp_path, python):
    size, opening, running = python(_SPARSE, tmp_path / "sparse.tfdfm")  # MB
    assert size > 2000
    assert opening < 150  # a few block buffers and tf.data's threads
    assert running < 10


def test_checking_is_quick(tmp_path):
    target = tmp_path / "x.tfdfm"
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    cachefile.write(target, "s", (4000, 64, 64, 3), (), ((image, -1) for _ in range(4000)))
    start = time.monotonic()
    cachefile.read(target)
    assert time.monotonic() - start < 2  # 49 MB
