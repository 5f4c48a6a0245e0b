"""The life of a model: versions come, go and fail while requests are answered."""

import asyncio
import shutil
import threading

import grpc
import numpy as np
import pytest
import servables
from running import WAIT, State, arrays, config, refused, request, serving
from servables import floats, publish
from tensorflow_serving.apis import get_model_status_pb2
from versions import ended, publish_slow, refresh, reload, states, version

from tfdfm.serving.models import manager, warmup
from tfdfm.serving.models.servables import Servable


@pytest.fixture(scope="module")
def server(reloadable):
    return reloadable


def test_a_new_version_takes_over_and_the_old_one_ends(server, numbered, base):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    assert version(server) == 1
    publish(numbered / "line2", base, "00000002")
    refresh(server)
    assert version(server) == 2
    ended(server, 1)
    assert ("AVAILABLE", "END") == states(server, 2, 1)
    message = refused(server.prediction.Predict, request(x=floats(0), version=1), grpc.StatusCode.NOT_FOUND)
    assert message == "Servable not found for request: Specific(m, 1)"


def test_a_version_that_goes_from_disk_gives_way_to_the_one_before(server, numbered, base):
    for number in (1, 2):
        publish(numbered / f"line{number}", base, number)
    reload(server, config(m=base))
    shutil.rmtree(base / "2")
    refresh(server)
    assert version(server) == 1
    ended(server, 2)


def test_a_model_without_versions_left_is_gone(server, numbered, base):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    shutil.rmtree(base / "1")
    refresh(server)
    refused(server.prediction.Predict, request(x=floats(0)), grpc.StatusCode.NOT_FOUND)


def test_a_base_path_that_cannot_be_read_changes_nothing_and_is_said_once(server, numbered, base, caplog):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    base.rename(base.with_name("elsewhere"))
    for _ in range(2):
        refresh(server)
        assert version(server) == 1
    assert caplog.text.count(str(base)) == 1
    base.with_name("elsewhere").rename(base)


def test_a_request_under_way_is_answered_by_the_version_that_it_began_with(server, numbered, base, tmp_path):
    publish(numbered / "gated1", base, 1)
    reload(server, config(m=base))
    gate = str(tmp_path / "gate").encode()
    waiting = server.future(x=floats(0), gate=np.array([gate], object))
    old = server.server.manager.models["m"].servables[1]
    server.look(lambda: old._users)
    publish(numbered / "gated2", base, 2)
    refresh(server)
    (tmp_path / "opened").touch()
    opened = np.array([str(tmp_path / "opened").encode()], object)
    assert server.predict(x=floats(0), gate=opened)["y"] == 2
    assert states(server, 2, 1) == ("AVAILABLE", "UNLOADING")
    refused(server.prediction.Predict, request(x=floats(0), gate=opened, version=1), grpc.StatusCode.NOT_FOUND)
    (tmp_path / "gate").touch()
    assert arrays(waiting.result())["y"] == 1
    ended(server, 1)


def test_a_session_outlives_a_client_that_left(server, numbered, base, tmp_path):
    publish(numbered / "gated1", base, 1)
    reload(server, config(m=base))
    gate = np.array([str(tmp_path / "gate").encode()], object)
    waiting = server.future(x=floats(0), gate=gate)
    old = server.server.manager.models["m"].servables[1]
    server.look(lambda: old._users == 2)
    waiting.cancel()
    server.look(lambda: old._users == 1)
    publish(numbered / "gated2", base, 2)
    refresh(server)
    assert states(server, 2, 1) == ("AVAILABLE", "UNLOADING")
    (tmp_path / "gate").touch()
    ended(server, 1)


def test_two_versions_in_memory_at_most(server, numbered, base, tmp_path, monkeypatch):
    monkeypatch.setattr(manager, "PATIENCE", WAIT)
    publish(numbered / "gated1", base, 1)
    reload(server, config(m=base))
    waiting = server.future(x=floats(0), gate=np.array([str(tmp_path / "gate").encode()], object))
    versions = server.server.manager.models["m"].servables
    server.look(lambda: versions[1]._users)
    publish(numbered / "gated2", base, 2)
    refresh(server)
    publish(numbered / "gated3", base, 3)

    task = asyncio.run_coroutine_threadsafe(server.server.manager.refresh(), server.loop)
    server.look(lambda: server.server.manager.models["m"].lock.locked())
    assert 3 not in versions or versions[3].bundle is None
    assert versions[1].bundle and versions[2].bundle
    (tmp_path / "gate").touch()
    waiting.result()
    task.result(WAIT)
    assert versions[3].bundle
    ended(server, 1)
    ended(server, 2)


def test_a_stuck_request_keeps_no_third_version_waiting(server, numbered, base, tmp_path, monkeypatch):
    monkeypatch.setattr(manager, "PATIENCE", 0.2)
    publish(numbered / "gated1", base, 1)
    reload(server, config(m=base))
    waiting = server.future(x=floats(0), gate=np.array([str(tmp_path / "gate").encode()], object))
    versions = server.server.manager.models["m"].servables
    server.look(lambda: versions[1]._users)
    (tmp_path / "opened").touch()
    opened = np.array([str(tmp_path / "opened").encode()], object)
    for number in (2, 3, 4):
        publish(numbered / f"gated{number}", base, number)
        refresh(server)
        assert server.predict(x=floats(0), gate=opened)["y"] == number
    assert states(server, 4, 1) == ("AVAILABLE", "UNLOADING")
    ended(server, 3)
    (tmp_path / "gate").touch()
    assert arrays(waiting.result())["y"] == 1
    ended(server, 1)


def test_a_slow_load_keeps_no_other_model_waiting(server, numbered, base, monkeypatch):
    other = base.with_name("other")
    for place in (base, other):
        publish(numbered / "line1", place, 1)
    reload(server, config(m=base, other=other))
    going, load = threading.Event(), Servable.load

    def slow(servable):
        assert base not in servable.path.parents or going.wait(WAIT)
        load(servable)

    monkeypatch.setattr(Servable, "load", slow)
    publish(numbered / "line2", base, 2)
    server.do(server.server.manager.look())
    server.look(lambda: 2 in server.server.manager.models["m"].servables)
    publish(numbered / "line2", other, 2)
    server.do(server.server.manager.look())
    server.look(lambda: server.server.manager.models["other"].available() == [2])
    assert server.server.manager.models["m"].available() == [1]
    going.set()
    server.look(lambda: server.server.manager.models["m"].available() == [2])


def test_a_look_that_fails_is_logged(server, numbered, base, monkeypatch, caplog):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))

    def fails(_):
        raise ValueError("this one")

    monkeypatch.setattr(manager.storage, "aspired_versions", fails)
    server.do(server.server.manager.look())
    server.look(lambda: "this one" in caplog.text)
    monkeypatch.undo()
    assert version(server) == 1


def test_a_version_that_ended_is_closed(server, numbered, base):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    bundle = server.server.manager.models["m"].servables[1].bundle
    publish(numbered / "line2", base, 2)
    refresh(server)
    ended(server, 1)
    assert bundle.signatures == {} and not hasattr(bundle, "_session")


def test_a_version_that_cannot_be_loaded_does_not_take_the_old_ones_place(server, numbered, base):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    (base / "2").mkdir()
    refresh(server)
    assert version(server) == 1
    asked = request(version=2).model_spec
    found = server.models.GetModelStatus(get_model_status_pb2.GetModelStatusRequest(model_spec=asked), WAIT)
    (status,) = found.model_version_status
    assert status.state == status.END and status.status.error_code and str(base / "2") in status.status.error_message
    for name in ("saved_model.pb", "variables"):  # a slow copy
        (shutil.copytree if name == "variables" else shutil.copy)(numbered / "line2" / name, base / "2" / name)
    refresh(server)
    assert version(server) == 2


def test_a_broken_version_is_tried_again_only_when_it_changed(server, numbered, base):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    (base / "2").mkdir()
    refresh(server)
    broken = server.server.manager.models["m"].servables[2]
    refresh(server)
    assert server.server.manager.models["m"].servables[2] is broken


def test_a_load_that_breaks_in_an_unforeseen_way_is_a_failed_load(server, numbered, base, monkeypatch):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    monkeypatch.setattr(warmup, "run", lambda model: 1 / 0)
    publish(numbered / "line2", base, 2)
    refresh(server)
    assert version(server) == 1 and states(server, 2, 1) == ("END", "AVAILABLE")


def test_a_failed_warm_up_keeps_the_version_from_serving(server, numbered, base):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    second = publish(numbered / "line2", base, ".2")
    (second / "assets.extra").mkdir()
    (second / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"no records" * 9)
    second.rename(base / "2")
    refresh(server)
    assert version(server) == 1 and states(server, 2, 1) == ("END", "AVAILABLE")


def test_the_old_version_answers_while_the_new_one_is_loaded(server, numbered, base, tmp_path):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    publish_slow(numbered, base, 2, tmp_path / "gate")
    task = asyncio.run_coroutine_threadsafe(server.server.manager.refresh(), server.loop)
    versions = server.server.manager.models["m"].servables
    server.look(lambda: 2 in versions and versions[2].state == State.LOADING)
    assert version(server) == 1 and states(server, 2, 1) == ("LOADING", "AVAILABLE")
    refused(server.prediction.Predict, request(x=floats(0), version=2), grpc.StatusCode.NOT_FOUND)
    (tmp_path / "gate").touch()
    task.result(WAIT)
    ended(server, 1)
    assert states(server, 2, 1) == ("AVAILABLE", "END")


def test_the_disk_is_followed(numbered, tmp_path):
    publish(numbered / "line1", tmp_path, 1)
    with serving(config(m=tmp_path), poll_seconds=0.01) as server:
        publish(numbered / "line2", tmp_path, 2)
        server.look(lambda: server.server.manager.models["m"].available() == [2])


def test_closing_a_version_frees_its_memory(tmp_path):
    import weakref

    from tfdfm.serving.models.saved_model import SavedModelBundle

    model = SavedModelBundle(servables.line(tmp_path / "1"))
    graph = weakref.ref(model._session.graph)
    model.close()
    assert graph() is None
