"""The graph of 2015 from a file, an archive, a URL and a TF-Hub handle; what else comes is one line."""

import functools
import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import tensorflow as tf
from absl import logging
from frozen import PLACES, WEIGHTS, archive, graph_def, label_map

from tfdfm import progress
from tfdfm.classifiers import fetch, inception2015, inception_file, lookup
from tfdfm.errors import Failure, UsageError

GRAPH = graph_def(True).SerializeToString()
IMAGES = np.random.default_rng(0).integers(0, 256, [3, 16, 16, 3], dtype=np.uint8)


LABELS = label_map(PLACES)
TGZ = archive({"LICENSE": b"Apache", f"./{inception_file.LABELS}": LABELS, f"./{inception_file.GRAPH}": GRAPH})
NAMES = sorted(PLACES)


@pytest.fixture
def published(monkeypatch, tmp_path):
    """The small graph's checksum in the place of the published one's."""
    (tmp_path / "small.pb").write_bytes(GRAPH)
    monkeypatch.setattr(inception_file, "CHECKSUM", inception_file.checksum(tmp_path / "small.pb"))


@pytest.fixture
def serve():
    """Serves answers by path: bytes, (bytes, announced length), a status, or None for one that never comes."""
    servers = []

    def start(answers: dict) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answer = answers[self.path]
                if answer is None:
                    return time.sleep(3)
                content, length = answer if isinstance(answer, tuple) else (answer, None)
                self.send_response(content if isinstance(content, int) else 200)
                content = b"" if isinstance(content, int) else content
                self.send_header("Content-Length", str(len(content) if length is None else length))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        servers[0].daemon_threads, servers[0].block_on_close = True, False
        threading.Thread(target=servers[0].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[0].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


find = functools.partial(lookup.find, sets=None)


@pytest.mark.usefixtures("published")
def test_file_archive_and_url_give_the_same_classifier(tmp_path, serve):
    (tmp_path / "archive.tgz").write_bytes(TGZ)
    url = serve({"/a.tgz": TGZ, "/a.pb": GRAPH})
    places = [tmp_path / "small.pb", tmp_path / "archive.tgz", f"{url}/a.tgz"]
    found = [find(f"inception2015:{place}", cache_dir=str(tmp_path)) for place in [*places, f"{url}/a.pb"]]
    expected = inception2015.network(tmp_path / "small.pb")(IMAGES.astype(np.float32))
    for one in found:
        assert one.record == found[0].record and one.record["checksum"] == inception_file.CHECKSUM
        assert one.num_classes == WEIGHTS["softmax/weights"].shape[1]
        for given, wanted in zip(one.run(IMAGES), expected, strict=True):
            np.testing.assert_allclose(given, wanted, rtol=1e-6)
    assert [one.tells(NAMES) for one in found] == [False, True, True, False]  # a graph alone has no names


@pytest.mark.usefixtures("published")
def test_the_label_map_says_which_logit_is_whose(tmp_path, serve):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "graph.pb").write_bytes(GRAPH)
    (tmp_path / "a" / inception_file.LABELS).write_bytes(LABELS)
    (tmp_path / "archive.tgz").write_bytes(TGZ)
    url = serve({"/a.tgz": TGZ})
    for place in (tmp_path / "a" / "graph.pb", tmp_path / "archive.tgz", f"{url}/a.tgz", f"{url}/a.tgz"):
        found = find(f"inception2015:{place}", cache_dir=str(tmp_path))  # the last from the cache
        logits = found.run(IMAGES)[1]
        np.testing.assert_array_equal(found.of_classes(logits), logits[:, [1, 3, 0, 2]])
        assert found.num_classes == logits.shape[1] == 5  # the Inception score's
        assert found.tells(NAMES) and not found.tells(NAMES[::-1]) and not found.tells([*NAMES, "n00000010"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (LABELS[:-40], "is damaged: 3 good entries"),
        (LABELS.replace(b"target_class: 3", b"target_class: 2"), "is damaged: 4 good entries"),
        (LABELS.replace(b"n00000003", b"n00000001"), "is damaged: 3 good entries"),
        (LABELS.replace(b"target_class: 3", b"target_class: three"), "is damaged: 3 good entries"),
        (b"\xff\xfe", "is damaged: 0 good entries"),
        (label_map(PLACES | {"n00000010": 5}), "is another network's: it names place 5 of 5 logits"),
    ],
    ids=["cut", "one place twice", "one class twice", "no number", "no text", "another's"],
)
def test_a_label_map_that_cannot_be_is_one_line(tmp_path, content, expected):
    (tmp_path / "graph.pb").write_bytes(GRAPH)
    (tmp_path / inception_file.LABELS).write_bytes(content)
    with pytest.raises(Failure, match=f"The label map {inception_file.LABELS} of .*graph.pb {expected}") as one:
        find(f"inception2015:{tmp_path / 'graph.pb'}")
    assert "\n" not in str(one.value)


def test_progress_is_said(tmp_path, serve, monkeypatch):
    said = []
    monkeypatch.setattr(logging, "info", lambda text, *values: said.append(text % values))
    monkeypatch.setattr(progress.time, "monotonic", iter(range(0, 99, 6)).__next__)
    monkeypatch.setattr(fetch, "_CHUNK", 1 << 19)
    fetch.fetch(f"{serve({'/a': bytes(1 << 21)})}/a", tmp_path / "a")
    assert [text.partition("/a")[2].partition(" of ")[0] for text in said] == [".", ": 1,048,576", ": 2,097,152"]
    assert said[-1].endswith("of 2,097,152 bytes, 87,381/s, 00:00:00 left")
    assert (tmp_path / "a").read_bytes() == bytes(1 << 21)


@pytest.mark.usefixtures("published")
def test_what_was_fetched_once_is_here_and_checked_again(tmp_path, serve, monkeypatch):
    answers = {"/a.tgz": TGZ}
    monkeypatch.setattr(inception_file, "URL", f"{serve(answers)}/a.tgz")
    assert "inception2015" not in lookup.here(False, str(tmp_path))
    find("inception2015", cache_dir=str(tmp_path))
    answers.clear()
    assert "inception2015" in lookup.here(False, str(tmp_path))
    assert find("inception2015", cache_dir=str(tmp_path)).name == "inception2015"
    kept = inception_file.kept(cache_dir=str(tmp_path))
    for content in (GRAPH[:-1], TGZ[:-9], archive({"other.pb": GRAPH})):
        kept.write_bytes(content)
        with pytest.raises(Failure, match=f"{kept} is damaged .*SHA-256.*delete it"):
            find("inception2015", cache_dir=str(tmp_path))


def test_another_file_is_refused_from_a_url_and_warned_of_by_path(tmp_path, serve, monkeypatch):
    (tmp_path / "a.pb").write_bytes(GRAPH)
    given = inception_file.checksum(tmp_path / "a.pb")
    with pytest.raises(Failure, match=f"another file: SHA-256 {given}, published {inception_file.CHECKSUM}"):
        find(f"inception2015:{serve({'/a.pb': GRAPH})}/a.pb", cache_dir=str(tmp_path / "cache"))
    assert not list((tmp_path / "cache").glob("inception2015-*[!k]"))  # but for the lock
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: said.append(text % values))
    assert find(f"inception2015:{tmp_path / 'a.pb'}").record["checksum"] == given
    assert len(said) == 1 and given in said[0] and inception_file.CHECKSUM in said[0]


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (404, "Cannot fetch .*404"),
        ((TGZ[:500], len(TGZ)), f"IncompleteRead.500 bytes read, {len(TGZ) - 500} more expected"),
        (None, "nothing arrived within 0 s"),
        (TGZ[:500], "damaged, or no archive"),
        (archive({"other.pb": GRAPH}), f"no archive with {inception_file.GRAPH}"),
        (gzip.compress(b"nonsense", mtime=0), "damaged, or no archive"),
    ],
    ids=["404", "short", "silent", "cut", "without", "no tar"],
)
def test_a_bad_answer_is_one_line_and_leaves_nothing(tmp_path, serve, monkeypatch, answer, expected):
    monkeypatch.setattr(fetch, "QUIET", 0.4)
    with pytest.raises(
        Failure, match=f"(?s){expected}.*--classifier=inception2015:PATH.*Other classifiers here"
    ) as one:
        find(f"inception2015:{serve({'/a.tgz': answer})}/a.tgz", cache_dir=str(tmp_path / "cache"))
    assert "\n" not in str(one.value)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_place_that_is_none_and_a_network_that_is_away():
    with pytest.raises(UsageError, match="given nowhere.pb, which is not there"):
        find("inception2015:nowhere.pb")
    with pytest.raises(Failure, match="Cannot fetch http://127.0.0.1:9/a.pb: .*refused.* Or"):
        find("inception2015:http://127.0.0.1:9/a.pb")


class Hub(tf.Module):
    """With tensorflow-gan's interface: 299 pixels in [-1, 1] -> pool_3 and logits."""

    def __init__(self):
        self.weights = tf.Variable(np.random.default_rng(0).normal(size=[3, 7]).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def __call__(self, images):
        tf.debugging.assert_equal(tf.shape(images)[1:3], 299)
        features = tf.reduce_mean(images, [1, 2])
        return {"pool_3": features[:, None, None], "logits": features @ self.weights}


@pytest.mark.parametrize("signed", [False, True])
def test_a_hub_handle_is_tensorflow_gans_model(tmp_path, serve, signed):
    module, folder = Hub(), tmp_path / "hub"
    tf.saved_model.save(module, str(folder), signatures=module.__call__ if signed else None)
    content = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    url = serve({"/tfgan/eval/inception/1?tf-hub-format=compressed": archive(content)})
    by_url = find(f"inception2015:{url}/tfgan/eval/inception/1", cache_dir=str(tmp_path / "cache"))
    by_path = find(f"inception2015:{folder}")
    assert by_url.record == by_path.record and by_url.num_classes == 7
    white = np.full([2, 8, 8, 1], 255, np.uint8)
    (tmp_path / inception_file.LABELS).write_bytes(LABELS)
    assert find(f"inception2015:{folder}").rows == (1, 3, 0, 2) and not by_path.rows
    for one in (by_url, by_path):
        features, logits = one.run(white)
        np.testing.assert_allclose(features, np.full([2, 3], 127 / 128), rtol=1e-5)
        np.testing.assert_allclose(logits, features @ module.weights.numpy(), rtol=1e-4)


@pytest.mark.parametrize("content", [b"no archive", gzip.compress(b"nonsense" * 200, mtime=0)])
def test_a_hub_that_gives_no_archive_is_one_line(tmp_path, serve, content):
    url = serve({"/model?tf-hub-format=compressed": content})
    with pytest.raises(Failure, match="no archive"):
        find(f"inception2015:{url}/model", cache_dir=str(tmp_path))
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
