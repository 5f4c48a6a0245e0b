"""Copies of what a store holds, here fsspec's store in memory: what is fetched, kept, sent and removed, and when."""

import itertools
import os

import fsspec
import pytest

from tfdfm import stores
from tfdfm.errors import Failure, UsageError
from tfdfm.stores import objects
from tfdfm.stores.copies import Copy

store = fsspec.filesystem("memory")
numbers = itertools.count()


@pytest.fixture
def url():
    return f"memory://bucket{next(numbers)}/run"


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Each test is a process of its own: it has opened nothing yet."""
    monkeypatch.setattr(stores, "_copies", {})


def put(url: str, **held: str):
    """`__` stands for a slash, `_dot_` for a dot."""
    for name, text in held.items():
        store.pipe(f"{url}/{name.replace('__', '/').replace('_dot_', '.')}", text.encode())


def held(url: str) -> dict[str, str]:
    path = url.removeprefix("memory:/")
    return {name.removeprefix(path)[1:]: store.cat(name).decode() for name in store.find(path)}


def lying(folder) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def copy(url: str, *, own: bool = True) -> Copy:
    """As the next process opens it; where it is `own`, the one before has ended."""
    made = Copy(url, own=own)
    made.fetch()
    made._lock.release(force=True)
    return made


def test_a_path_is_no_url(tmp_path):
    assert stores.local(tmp_path) == stores.fetched(tmp_path) == tmp_path
    assert stores.name(tmp_path / "x") == str(tmp_path / "x")


def test_what_is_written_to_a_copy_is_sent_and_found_elsewhere(url, tmp_path, monkeypatch):
    put(url, old="1", deep__er="2")
    folder = stores.local(url)
    assert lying(folder) == {"old": "1", "deep/er": "2"}
    (folder / "old").write_text("changed")
    (folder / "new").mkdir()
    (folder / "new" / "one").write_text("3")
    (folder / ".hidden").write_text("being written")
    stores.send()
    assert held(url) == {"old": "changed", "deep/er": "2", "new/one": "3"}
    assert stores.name(folder / "new" / "one") == f"{url}/new/one"
    assert stores.local(f"{url}/new") == folder / "new"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # another machine
    assert lying(copy(url).folder) == held(url)


def test_only_what_has_changed_travels(url, monkeypatch):
    put(url, one="1", two="2")
    travelled = []
    for way in ("get", "put"):
        real = getattr(objects.Objects, way)
        monkeypatch.setattr(
            objects.Objects, way, lambda self, files, real=real: (travelled.extend(files), real(self, files))[1]
        )
    first = copy(url)
    assert sorted(travelled) == ["one", "two"]
    travelled.clear()
    first.send()
    again = copy(url)
    again.send()
    assert travelled == []
    (again.folder / "two").write_text("two")
    again.send()
    put(url, one="one")
    assert lying(copy(url).folder) == {"one": "one", "two": "two"}
    assert travelled == ["two", "one"]


def test_what_was_not_sent_is_kept_while_the_store_is_as_it_was(url):
    put(url, one="1")
    folder = copy(url).folder
    (folder / "two").write_text("not sent")
    (folder / "one").unlink()
    assert lying(copy(url).folder) == {"one": "1", "two": "not sent"}


def test_the_store_counts_once_it_has_changed(url):
    put(url, one="1", gone__x="2")
    folder = copy(url).folder
    (folder / "two").write_text("not sent")
    (folder / "one").write_text("nor this")
    put(url, other="3")
    store.rm(f"{url}/gone/x")
    again = copy(url).folder
    assert lying(again) == {"one": "1", "other": "3"} and not (again / "gone").exists()


def test_a_folder_that_is_gone_goes_in_the_store_and_a_lone_file_does_not(url):
    put(url, checkpoints__1__state="1", checkpoints__1__state_dot_sha256="s", checkpoints__2__state="2", metrics="m")
    made = copy(url)
    for path in (made.folder / "checkpoints" / "1").iterdir():
        path.unlink()
    (made.folder / "checkpoints" / "1").rmdir()
    (made.folder / "metrics").unlink()  # by one who tidies up the cache
    made.send()
    assert held(url) == {"checkpoints/2/state": "2", "metrics": "m"}


def test_what_makes_others_count_is_sent_last_and_removed_first(url, monkeypatch):
    order = []
    for method in ("put", "rm_file"):
        real = getattr(store, method)
        monkeypatch.setattr(store, method, lambda *names, real=real: (order.append(names[-1]), real(*names))[1])
    made = copy(url)
    for name in ("a/state.sha256", "a/state.index", "z"):
        (made.folder / name).parent.mkdir(exist_ok=True, parents=True)
        (made.folder / name).write_text(name)
    made.send()
    first, last = order
    assert sorted(name.rsplit("/", 1)[1] for name in first) == ["state.index", "z"]
    assert [name.rsplit("/", 1)[1] for name in last] == ["state.sha256"]
    order.clear()
    for name in ("a/state.index", "a/state.sha256"):
        (made.folder / name).unlink()
    (made.folder / "a").rmdir()
    made.send()
    assert [name.rsplit("/", 1)[1] for name in order] == ["state.sha256", "state.index"]


def test_two_processes_that_write_have_a_copy_each(url):
    put(url, one="1")
    first = Copy(url, own=True)
    first.fetch()
    (first.folder / "being").write_text("made")
    second = copy(url)
    assert second.folder != first.folder and lying(second.folder) == {"one": "1"}
    (second.folder / "two").write_text("2")
    second.send()
    first.send()
    assert held(url) == {"one": "1", "two": "2", "being": "made"}


def test_of_a_shared_copy_is_fetched_what_is_wanted(url):
    put(url, a__x="1", b__x="2")
    assert lying(stores.fetched(url, lambda name: name.startswith("a/"))) == {"a/x": "1"}
    put(url, a__x="one")
    assert lying(stores.fetched(url, lambda name: name.startswith("b/"))) == {"a/x": "1", "b/x": "2"}
    (stores.fetched(url) / "made").write_text("here")
    stores.send()  # what this process works on, and this is not that
    assert "made" not in held(url)
    stores.share(stores.place(url))
    assert held(url) == {"a/x": "one", "b/x": "2", "made": "here"}


def test_one_object_is_a_file(url):
    put(url, picture_dot_png="1")
    path = stores.local(f"{url}/picture.png")
    assert path.read_text() == "1"
    path.write_text("2")
    new = stores.local(f"{url}/new.png")
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_text("3")
    stores.send()
    assert held(url) == {"picture.png": "2", "new.png": "3"}


def test_versions_count_once_their_model_is_there(url):
    put(url, **{"1__saved_model_dot_pb": "m", "2__variables__x": "v", "3__saved_model_dot_pb": "m", "x": ""})
    assert stores.versions(url) == ["1", "3"]


@pytest.mark.parametrize("wrong", ["s3://", "s3:///x", "s3://a//b", "s3://a/../b", "://a", "s3+x://a"])
def test_a_url_that_cannot_be_one_is_refused(wrong):
    for asked in (stores.local, stores.fetched, stores.place):
        with pytest.raises(UsageError, match="s3://BUCKET/FOLDER"):
            asked(wrong)


def test_a_store_that_is_none_and_a_library_that_is_not_there(monkeypatch):
    with pytest.raises(UsageError, match="there is no such store"):
        stores.local("nostore://bucket/x")

    def lacking(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", lacking)
    with pytest.raises(UsageError, match=r"pip install 'tfdfm\[s3\]'"):
        stores.local("s3://bucket/x")


def test_an_object_whose_name_leads_elsewhere_is_refused(url):
    hostile = {f"{url.removeprefix('memory:/')}/a/../../x": {"size": 0}}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Failure, match="no folder can"):
        patch.setattr(store, "find", lambda base, detail: hostile)
        stores.local(url)


def test_a_store_that_fails_costs_a_line_now_and_nothing_later(url, monkeypatch, caplog):
    folder = stores.local(url)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "one").write_text("1")
    with monkeypatch.context() as patch:
        patch.setattr(store, "put", lambda *names: (_ for _ in ()).throw(TimeoutError("no answer")))
        with caplog.at_level("WARNING"):
            stores.send_if_possible()
        assert f"Cannot reach {url}: no answer" in caplog.text
        with pytest.raises(Failure, match="no answer"):
            stores.send()
    stores.send()
    assert held(url) == {"one": "1"}


def test_a_fetch_that_is_cut_off_leaves_no_file_by_half(url, monkeypatch):
    put(url, one="1")
    folder = copy(url).folder
    put(url, one="another", two="2")

    def cut(names, paths):
        with open(paths[0], "w") as file:
            file.write("ano")
        raise OSError("connection reset")

    with monkeypatch.context() as patch:
        patch.setattr(store, "get", cut)
        with pytest.raises(Failure, match="connection reset"):
            copy(url)
    assert lying(folder) | {".one.fetched": ""} == {"one": "1", ".one.fetched": ""}
    assert os.path.exists(folder / ".one.fetched")  # hidden: sent by nobody, written over by the next
    assert {name: text for name, text in lying(copy(url).folder).items() if name[0] != "."} == held(url)
