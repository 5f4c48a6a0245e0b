"""A run, its data, its export and a server of it in a real S3 server, as users have them."""

import io
import os
import shutil
import sys
import tarfile

import commands
import fsspec
import numpy as np
import object_store
import pytest
import running
from fsspec.spec import AbstractBufferedFile
from PIL import Image

import tfdfm
from tfdfm import data, stores
from tfdfm.errors import Failure
from tfdfm.sampling.sources import Export

pytestmark = pytest.mark.slow
CLI = [sys.executable, "-m"]
RUN = "s3://bucket/runs/a"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """The folder behind the bucket, and the environment in which the store is reached."""
    folder = tmp_path_factory.mktemp("s3") / "store"
    with object_store.s3(folder) as reached:
        yield folder / "bucket", reached


@pytest.fixture
def bucket(s3, monkeypatch):
    folder, reached = s3
    for name, value in reached.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stores, "_copies", {})
    return folder


def machine(folder, **more) -> dict[str, str]:
    """The environment of a machine of its own."""
    return os.environ | {"XDG_CACHE_HOME": str(folder)} | more


def test_a_run_killed_while_it_sends_ends_on_another_machine_as_one_that_never_stopped(bucket, tmp_path):
    one, two = machine(tmp_path / "one"), machine(tmp_path / "two")
    train = commands.train(RUN, steps=60)
    killed = [train[0], commands.__file__, tmp_path / "one", "open", "0000040/state.data", "1", *train[2:]]
    shown = commands.run(killed, code=-9, env=one)
    assert "step 60/60" not in shown.stdout
    there = bucket / "runs" / "a"
    assert [path.name for path in commands.checkpoints(there)] == ["0000020"]
    told = commands.run(train, env=two).stderr
    assert "Going on from step 20 of 60." in told and f"Run directory: {RUN}" in told
    commands.run(commands.train(tmp_path / "plain", steps=60), env=two)
    commands.assert_same(there, tmp_path / "plain")
    assert [path.name for path in commands.checkpoints(there)] == ["0000040", "0000060"]
    told = commands.run([*CLI, "tfdfm.sample", f"--run_dir={RUN}", "--num=4"], env=one)  # where it was killed
    assert told.stdout == f"4 images: {RUN}/sample-seed0.png\n"
    commands.run([*CLI, "tfdfm.sample", f"--run_dir={tmp_path / 'plain'}", "--num=4"])
    drawn = [np.asarray(Image.open(folder / "sample-seed0.png")) for folder in (there, tmp_path / "plain")]
    np.testing.assert_array_equal(*drawn)


def test_an_export_is_served_and_its_next_version_too(bucket, tmp_path):
    commands.run(commands.train("s3://bucket/runs/b", steps=2, checkpoint_every=2), env=machine(tmp_path / "one"))
    export = [*CLI, "tfdfm.export", "--run_dir=s3://bucket/runs/b", "--out=s3://bucket/models/b"]
    told = commands.run(export, env=machine(tmp_path / "one")).stdout
    tfdfm.load("s3://bucket/runs/b").export("s3://bucket/models/python")
    assert stores.versions("s3://bucket/models/python") == ["1"]
    assert told.endswith("--model_base_path=s3://bucket/models/b\n")
    with running.serving(running.config(m="s3://bucket/models/b"), poll_seconds=0.2) as server:
        images = server.predict(seed=np.arange(3))["images"]
        own = Export(stores.fetched("s3://bucket/models/b"))
        np.testing.assert_allclose(images, own.images(range(3)), atol=1e-6)
        commands.run(export, env=machine(tmp_path / "two"))
        manager = server.server.manager
        server.look(lambda: manager.models["m"].available() == [2])
        np.testing.assert_array_equal(server.predict(seed=np.arange(3))["images"], images)
        fsspec.filesystem("s3").rm("bucket/models/b", recursive=True)
        server.look(lambda: "no version with a saved_model.pb" in manager.models["m"]._warned)
        np.testing.assert_array_equal(server.predict(seed=np.arange(3))["images"], images)  # and serves what it has


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), value, np.uint8)).save(file, "png")
    return file.getvalue()


def test_images_of_a_bucket(bucket, tmp_path):
    store = fsspec.filesystem("s3")
    for name, value in {"ant/1.png": 10, "ant/2.png": 20, "bee/1.png": 30}.items():
        store.pipe(f"bucket/images/{name}", png(value))
    for number in range(3):
        shard, image = io.BytesIO(), png(number)
        with tarfile.open(fileobj=shard, mode="w") as archive:
            info = tarfile.TarInfo(f"{number}.png")
            info.size = len(image)
            archive.addfile(info, io.BytesIO(image))
        store.pipe(f"bucket/shards/{number:02d}.tar", shard.getvalue())
    found = data.load("folder:s3://bucket/images", cache_dir=str(tmp_path))
    assert found.source == "folder s3://bucket/images" and found.class_names == ("ant", "bee")
    assert found.pixels[:, 0, 0, 0].tolist() == [10, 20, 30]
    found = data.load("webdataset:s3://bucket/shards/{00..01}.tar", cache_dir=str(tmp_path))
    assert found.pixels[:, 0, 0, 0].tolist() == [0, 1]
    assert not (stores.place("s3://bucket/shards") / "02.tar").exists()  # which nobody asked for


def broken(*args):
    raise RuntimeError("no network")


def test_shards_for_which_the_disk_has_no_room_are_read_in_the_bucket(bucket, tmp_path, monkeypatch):
    store, pattern = fsspec.filesystem("s3"), "webdataset:s3://bucket/large/{00..01}.tar"
    for number in range(2):
        shard = io.BytesIO()
        with tarfile.open(fileobj=shard, mode="w") as archive:
            for key, suffix, content in (
                ("a", "png", png(number)),
                ("a", "cls", b"1"),
                ("b", "cls", b"0"),
                ("b", "png", png(9)),
            ):
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        store.pipe(f"bucket/large/{number:02d}.tar", shard.getvalue())
    usage, copies = shutil.disk_usage, stores.place("s3://bucket/large")
    scarce = stores.place("s3://bucket").parents[1]
    monkeypatch.setattr(
        shutil, "disk_usage", lambda place: usage(place)._replace(free=100) if place == scarce else usage(place)
    )
    assert data.describe(pattern) == (16, 3, 2)
    found = data.load(pattern, cache_dir=str(tmp_path / "one"))
    assert not copies.exists()
    with monkeypatch.context() as away, pytest.raises(Failure, match="Cannot reach s3://bucket/large: no network"):
        away.setattr(AbstractBufferedFile, "read", broken)
        data.load(pattern, cache_dir=str(tmp_path / "three"))
    monkeypatch.setattr(shutil, "disk_usage", usage)
    kept = data.load(pattern, cache_dir=str(tmp_path / "two"))
    assert (copies / "01.tar").exists()
    for images in (found, kept):
        assert images.pixels[:, 0, 0, 0].tolist() == [0, 9, 1, 9] and images.labels.tolist() == [1, 0, 1, 0]
