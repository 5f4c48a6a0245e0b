"""The life of a model: versions come, go, fail and are named, while requests are answered."""

import asyncio
import shutil

import grpc
import numpy as np
import pytest
import servables
import tensorflow as tf
from running import WAIT, State, arrays, config, request, serving
from servables import floats, publish
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, prediction_log_pb2
from tensorflow_serving.config import file_system_storage_path_source_pb2

from tfdfm.errors import Failure, UsageError
from tfdfm.serving import tensors

pytestmark = pytest.mark.xdist_group("serving_lifecycle")
Policy = file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A line and a gated model, to be copied: y = 0 x + the number in the name."""
    folder = tmp_path_factory.mktemp("made")
    for number in (1, 2, 3, 4):
        servables.line(folder / f"line{number}", slope=0.0, intercept=float(number))
        servables.gated(folder / f"gated{number}", add=float(number))
    return folder


@pytest.fixture(scope="module")
def server(made, tmp_path_factory):
    """Serves nothing for long: each test reloads what it needs, below this base path. The disk is read when asked."""
    base = tmp_path_factory.mktemp("base")
    publish(made / "line1", base, 1)
    with serving(config(m=base), poll_seconds=0) as running:
        running.base = base
        yield running


@pytest.fixture
def base(server, tmp_path):
    return server.base / tmp_path.name


def reload(server, *configs, code=None):
    asked = model_management_pb2.ReloadConfigRequest()
    asked.config.model_config_list.SetInParent()
    for one in configs:
        asked.config.model_config_list.config.extend(one.model_config_list.config)
    if code is None:
        assert server.models.HandleReloadConfigRequest(asked, WAIT).status.error_code == 0
        return None
    return refused(code, server.models.HandleReloadConfigRequest, asked)


def refused(code, call, *args):
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, timeout=WAIT)
    assert caught.value.code() == code, caught.value.details()
    return caught.value.details()


def with_policy(made, **policy):
    made.model_config_list.config[0].model_version_policy.CopyFrom(Policy(**policy))
    return made


def version(server, **place):
    """The number of the version that answers."""
    response = server.prediction.Predict(request(x=floats(0), **place), WAIT)
    assert arrays(response)["y"][0] == response.model_spec.version.value
    return response.model_spec.version.value


def refresh(server):
    server.do(server.server.lifecycle.refresh())


def states(server, *numbers, model="m"):
    found = server.states(model)
    return tuple(found[number] for number in numbers)


def ended(server, number, model="m"):
    """Waits until the session of a version is closed."""
    version = server.server.lifecycle.models[model].versions[number]
    server.look(lambda: version.model is None and version.state == State.END)


def test_a_new_version_takes_over_and_the_old_one_ends(server, made, base):
    publish(made / "line1", base, 1)
    reload(server, config(m=base))
    assert version(server) == 1
    publish(made / "line2", base, "00000002")
    refresh(server)
    assert version(server) == 2
    ended(server, 1)
    assert ("AVAILABLE", "END") == states(server, 2, 1)
    message = refused(grpc.StatusCode.NOT_FOUND, server.prediction.Predict, request(x=floats(0), version=1))
    assert message == "Servable not found for request: Specific(m, 1)"


def test_a_version_that_goes_from_disk_gives_way_to_the_one_before(server, made, base):
    for number in (1, 2):
        publish(made / f"line{number}", base, number)
    reload(server, config(m=base))
    shutil.rmtree(base / "2")
    refresh(server)
    assert version(server) == 1
    ended(server, 2)


def test_a_model_without_versions_left_is_gone(server, made, base):
    publish(made / "line1", base, 1)
    reload(server, config(m=base))
    shutil.rmtree(base / "1")
    refresh(server)
    refused(grpc.StatusCode.NOT_FOUND, server.prediction.Predict, request(x=floats(0)))


def test_a_base_path_that_cannot_be_read_changes_nothing(server, made, base):
    publish(made / "line1", base, 1)
    reload(server, config(m=base))
    base.rename(base.with_name("elsewhere"))
    refresh(server)
    assert version(server) == 1
    base.with_name("elsewhere").rename(base)


def test_a_request_under_way_is_answered_by_the_version_that_it_began_with(server, made, base, tmp_path):
    publish(made / "gated1", base, 1)
    reload(server, config(m=base))
    gate = str(tmp_path / "gate").encode()
    waiting = server.future(x=floats(0), gate=np.array([gate], object))
    old = server.server.lifecycle.models["m"].versions[1]
    server.look(lambda: old._users)
    publish(made / "gated2", base, 2)
    refresh(server)
    (tmp_path / "opened").touch()
    opened = np.array([str(tmp_path / "opened").encode()], object)
    assert server.predict(x=floats(0), gate=opened)["y"] == 2
    assert states(server, 2, 1) == ("AVAILABLE", "UNLOADING")
    refused(grpc.StatusCode.NOT_FOUND, server.prediction.Predict, request(x=floats(0), gate=opened, version=1))
    (tmp_path / "gate").touch()
    assert arrays(waiting.result())["y"] == 1
    ended(server, 1)


def test_a_session_outlives_a_client_that_left(server, made, base, tmp_path):
    publish(made / "gated1", base, 1)
    reload(server, config(m=base))
    gate = np.array([str(tmp_path / "gate").encode()], object)
    waiting = server.future(x=floats(0), gate=gate)
    old = server.server.lifecycle.models["m"].versions[1]
    server.look(lambda: old._users == 2)
    waiting.cancel()
    server.look(lambda: old._users == 1)
    publish(made / "gated2", base, 2)
    refresh(server)
    assert states(server, 2, 1) == ("AVAILABLE", "UNLOADING")
    (tmp_path / "gate").touch()
    ended(server, 1)


def test_two_versions_in_memory_at_most(server, made, base, tmp_path):
    publish(made / "gated1", base, 1)
    reload(server, config(m=base))
    waiting = server.future(x=floats(0), gate=np.array([str(tmp_path / "gate").encode()], object))
    versions = server.server.lifecycle.models["m"].versions
    server.look(lambda: versions[1]._users)
    publish(made / "gated2", base, 2)
    refresh(server)
    publish(made / "gated3", base, 3)

    task = asyncio.run_coroutine_threadsafe(server.server.lifecycle.refresh(), server.loop)
    server.look(lambda: server.server.lifecycle.models["m"].lock.locked())
    assert 3 not in versions or versions[3].model is None
    assert versions[1].model and versions[2].model
    (tmp_path / "gate").touch()
    waiting.result()
    task.result(WAIT)
    assert versions[3].model
    ended(server, 1)
    ended(server, 2)


def test_a_version_that_cannot_be_loaded_does_not_take_the_old_ones_place(server, made, base):
    publish(made / "line1", base, 1)
    reload(server, config(m=base))
    (base / "2").mkdir()
    refresh(server)
    assert version(server) == 1
    asked = request(version=2).model_spec
    found = server.models.GetModelStatus(get_model_status_pb2.GetModelStatusRequest(model_spec=asked), WAIT)
    (status,) = found.model_version_status
    assert status.state == status.END and status.status.error_code and str(base / "2") in status.status.error_message
    for name in ("saved_model.pb", "variables"):  # a slow copy
        (shutil.copytree if name == "variables" else shutil.copy)(made / "line2" / name, base / "2" / name)
    refresh(server)
    assert version(server) == 2


def test_a_broken_version_is_tried_again_only_when_it_changed(server, made, base):
    publish(made / "line1", base, 1)
    (base / "2").mkdir()
    reload(server, config(m=base))
    broken = server.server.lifecycle.models["m"].versions[2]
    refresh(server)
    assert server.server.lifecycle.models["m"].versions[2] is broken


def test_a_failed_warm_up_keeps_the_version_from_serving(server, made, base):
    publish(made / "line1", base, 1)
    reload(server, config(m=base))
    second = publish(made / "line2", base, ".2")
    (second / "assets.extra").mkdir()
    (second / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"no records" * 9)
    second.rename(base / "2")
    refresh(server)
    assert version(server) == 1 and states(server, 2, 1) == ("END", "AVAILABLE")


def publish_slow(made, base, number, gate):
    """A version whose warm-up waits for a file."""
    hidden = publish(made / f"gated{number}", base, f".slow{number}")
    log = prediction_log_pb2.PredictionLog()
    inputs = log.predict_log.request.inputs
    tensors.fill(inputs["x"], floats(0))
    tensors.fill(inputs["gate"], np.array([str(gate).encode()], object))
    (hidden / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(hidden / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    hidden.rename(base / str(number))


def test_the_old_version_answers_while_the_new_one_is_loaded(server, made, base, tmp_path):
    publish(made / "line1", base, 1)
    reload(server, config(m=base))
    publish_slow(made, base, 2, tmp_path / "gate")
    task = asyncio.run_coroutine_threadsafe(server.server.lifecycle.refresh(), server.loop)
    versions = server.server.lifecycle.models["m"].versions
    server.look(lambda: 2 in versions and versions[2].state == State.LOADING)
    assert version(server) == 1 and states(server, 2, 1) == ("LOADING", "AVAILABLE")
    refused(grpc.StatusCode.NOT_FOUND, server.prediction.Predict, request(x=floats(0), version=2))
    (tmp_path / "gate").touch()
    task.result(WAIT)
    ended(server, 1)
    assert states(server, 2, 1) == ("AVAILABLE", "END")


def test_a_reload_goes_on_when_its_client_has_left(server, made, base, tmp_path):
    (base / "slow").mkdir(parents=True)
    publish_slow(made, base / "slow", 2, tmp_path / "gate")
    asked = model_management_pb2.ReloadConfigRequest(config=labelled(base / "slow", late=2))
    with pytest.raises(grpc.RpcError) as caught:
        server.models.HandleReloadConfigRequest(asked, timeout=0.3)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    (tmp_path / "gate").touch()
    server.look(lambda: server.server.lifecycle.models["m"].labels == {"late": 2})
    assert states(server, 2) == ("AVAILABLE",)


def test_policies(server, made, base):
    for number in (1, 2, 3):
        publish(made / f"line{number}", base, number)
    latest = with_policy(config(m=base), latest={"num_versions": 2})
    for policy, expected in (
        (latest, {3, 2}),
        (with_policy(config(m=base), all={}), {3, 2, 1}),
        (with_policy(config(m=base), specific={"versions": [1]}), {1}),
        (latest, {3, 2}),
    ):
        reload(server, policy)
        states = server.states()
        assert {number for number, state in states.items() if state == "AVAILABLE"} == expected
        assert version(server) == max(expected) and version(server, version=min(expected)) == min(expected)


def test_several_models_one_after_the_other(server, made, base):
    publish(made / "line1", base / "a", 1)
    publish(made / "line2", base / "b", 2)
    reload(server, config(a=base / "a", b=base / "b"))
    assert version(server, model="a") == 1 and version(server, model="b") == 2
    reload(server, config(b=base / "b"))
    refused(grpc.StatusCode.NOT_FOUND, server.prediction.Predict, request("a", x=floats(0)))
    ended(server, 1, "a")
    assert states(server, 1, model="a") == ("END",) and version(server, model="b") == 2
    reload(server)
    refused(grpc.StatusCode.NOT_FOUND, server.prediction.Predict, request("b", x=floats(0)))


def test_the_same_number_in_another_place_is_another_version(server, made, base):
    publish(made / "line1", base / "here", 5)
    publish(made / "line2", base / "there", 5)
    reload(server, config(m=base / "here"))
    assert server.predict(x=floats(0))["y"] == 1
    reload(server, config(m=base / "there"))
    assert server.predict(x=floats(0))["y"] == 2


def labelled(base, **labels):
    made = with_policy(config(m=base), all={})
    for label, number in labels.items():
        made.model_config_list.config[0].version_labels[label] = number
    return made


def test_labels_name_versions(server, made, base):
    for number in (1, 2):
        publish(made / f"line{number}", base, number)
    reload(server, labelled(base, stable=1, canary=2))
    assert version(server, label="stable") == 1 and version(server, label="canary") == 2
    reload(server, labelled(base, stable=2))
    assert version(server, label="stable") == 2
    message = refused(grpc.StatusCode.INVALID_ARGUMENT, server.prediction.Predict, request(x=floats(0), label="canary"))
    assert message == "Unrecognized servable version label: canary"
    message = reload(server, labelled(base, early=3), code=grpc.StatusCode.FAILED_PRECONDITION)
    assert "version 3 of model m, which is not currently available" in message
    assert version(server, label="stable") == 2


def test_a_label_of_a_version_that_went_is_not_found(server, made, base):
    publish(made / "line1", base, 1)
    made_config = labelled(base, only=1)
    made_config.model_config_list.config[0].model_version_policy.CopyFrom(Policy())
    reload(server, made_config)
    publish(made / "line2", base, 2)
    refresh(server)
    refused(grpc.StatusCode.NOT_FOUND, server.prediction.Predict, request(x=floats(0), label="only"))


def test_a_reload_that_cannot_work_is_refused_and_changes_nothing(server, made, base, tmp_path):
    publish(made / "line1", base, 1)
    reload(server, config(m=base))
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    empty = model_management_pb2.ReloadConfigRequest()
    refused(invalid, server.models.HandleReloadConfigRequest, empty)
    assert "absolute" in reload(server, config(m="relative/path"), code=invalid)
    assert "multiple times" in reload(server, config(m=base), config(m=base), code=invalid)
    publish(made / "line2", tmp_path, 2)
    for outside in (tmp_path, server.base / ".." / tmp_path.relative_to(server.base.parent)):
        assert "below what this server was started with" in reload(server, config(m=outside), code=invalid)
    unnamed = config(m=base)
    unnamed.model_config_list.config[0].name = ""
    assert "name" in reload(server, unnamed, code=invalid)
    assert version(server) == 1


def test_a_reload_says_which_model_cannot_be_served(server, made, base):
    publish(made / "line1", base, 1)
    (base / "empty").mkdir()
    (base / "broken" / "1").mkdir(parents=True)
    reload(server, config(m=base))
    message = reload(server, config(m=base / "nothing"), code=grpc.StatusCode.FAILED_PRECONDITION)
    assert "model 'm'" in message and str(base / "nothing") in message
    assert version(server) == 1
    for folder in ("empty", "broken"):
        message = reload(server, config(other=base / folder), code=grpc.StatusCode.FAILED_PRECONDITION)
        assert "model 'other'" in message and str(base / folder) in message


def test_the_disk_is_followed(made, tmp_path):
    publish(made / "line1", tmp_path, 1)
    with serving(config(m=tmp_path), poll_seconds=0.01) as server:
        publish(made / "line2", tmp_path, 2)
        server.look(lambda: server.server.lifecycle.models["m"].available() == [2])


def test_the_configuration_file_is_followed(made, tmp_path):
    for number in (1, 2):
        publish(made / f"line{number}", tmp_path / f"base{number}", number)
    file = tmp_path / "models.config"
    file.write_text(str(first := config(m=tmp_path / "base1")))
    with serving(first, poll_seconds=0, config_file=str(file), config_poll_seconds=0.01) as server:
        file.write_text("model_config_list { config { name: ")
        server.look(lambda: server.server.lifecycle.models["m"].available() == [1])
        file.write_text(str(config(m=tmp_path / "base2")))
        server.look(lambda: server.server.lifecycle.models["m"].available() == [2])


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda base: config(m=base / "nothing"), Failure, "nothing"),
        (lambda base: config(m=base), Failure, "no version"),
        (lambda base: config(m="relative"), UsageError, "absolute"),
        (lambda base: config(), UsageError, "model_config_list"),
        (lambda base: labelled(base.parent / "good", early=9), Failure, "version 9"),
    ],
    ids=["no directory", "no version", "relative", "nothing", "label"],
)
def test_a_start_that_cannot_work_ends_with_the_reason(made, tmp_path, build, error, message):
    publish(made / "line1", tmp_path / "good", 1)
    (tmp_path / "base").mkdir()
    with pytest.raises(error, match=message), serving(build(tmp_path / "base")):
        pass


def test_labels_may_come_before_their_versions_when_allowed(made, tmp_path):
    publish(made / "line1", tmp_path, 1)
    with serving(labelled(tmp_path, next=2), poll_seconds=0, early_labels=True) as server:
        refused(grpc.StatusCode.NOT_FOUND, server.prediction.Predict, request(x=floats(0), label="next"))
        publish(made / "line2", tmp_path, 2)
        refresh(server)
        assert version(server, label="next") == 2


def test_closing_a_version_frees_its_memory(tmp_path):
    import weakref

    from tfdfm.serving.models import Model

    model = Model(servables.line(tmp_path / "1"))
    graph = weakref.ref(model._session.graph)
    model.close()
    assert graph() is None
