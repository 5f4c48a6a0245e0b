"""What is served is configured: at the start, by a file, by a client; policies and labels."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from running import WAIT, State, config, refused, request, serving
from servables import floats, publish
from tensorflow_serving.apis import model_management_pb2
from versions import Policy, ended, labelled, publish_slow, refresh, reload, states, version, with_policy

from tfdfm.errors import Failure, UsageError


@pytest.fixture(scope="module")
def server(reloadable):
    return reloadable


def test_a_reload_goes_on_when_its_client_has_left(server, numbered, base, tmp_path):
    (base / "slow").mkdir(parents=True)
    publish_slow(numbered, base / "slow", 2, tmp_path / "gate")
    asked = model_management_pb2.ReloadConfigRequest(config=labelled(base / "slow", late=2))
    with pytest.raises(grpc.RpcError) as caught:
        server.models.HandleReloadConfigRequest(asked, timeout=0.3)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    (tmp_path / "gate").touch()
    server.look(lambda: server.server.manager.models["m"].labels == {"late": 2})
    assert states(server, 2) == ("AVAILABLE",)


def test_policies(server, numbered, base):
    for number in (1, 2, 3):
        publish(numbered / f"line{number}", base, number)
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


def test_several_models_one_after_the_other(server, numbered, base):
    publish(numbered / "line1", base / "a", 1)
    publish(numbered / "line2", base / "b", 2)
    reload(server, config(a=base / "a", b=base / "b"))
    assert version(server, model="a") == 1 and version(server, model="b") == 2
    reload(server, config(b=base / "b"))
    refused(server.prediction.Predict, request("a", x=floats(0)), grpc.StatusCode.NOT_FOUND)
    ended(server, 1, "a")
    assert states(server, 1, model="a") == ("END",) and version(server, model="b") == 2
    reload(server)
    refused(server.prediction.Predict, request("b", x=floats(0)), grpc.StatusCode.NOT_FOUND)


def test_the_same_number_in_another_place_is_another_version(server, numbered, base):
    publish(numbered / "line1", base / "here", 5)
    publish(numbered / "line2", base / "there", 5)
    reload(server, config(m=base / "here"))
    assert server.predict(x=floats(0))["y"] == 1
    reload(server, config(m=base / "there"))
    assert server.predict(x=floats(0))["y"] == 2


def test_labels_name_versions(server, numbered, base):
    for number in (1, 2):
        publish(numbered / f"line{number}", base, number)
    reload(server, labelled(base, stable=1, canary=2))
    assert version(server, label="stable") == 1 and version(server, label="canary") == 2
    reload(server, labelled(base, stable=2))
    assert version(server, label="stable") == 2
    message = refused(server.prediction.Predict, request(x=floats(0), label="canary"), grpc.StatusCode.INVALID_ARGUMENT)
    assert message == "Unrecognized servable version label: canary"
    message = reload(server, labelled(base, early=3), code=grpc.StatusCode.FAILED_PRECONDITION)
    assert "version 3 of model m, which is not currently available" in message
    assert version(server, label="stable") == 2


def test_a_label_moves_before_its_version_goes(server, numbered, base, tmp_path):
    """Even while another model of the same configuration is still loaded."""
    for number in (1, 2):
        publish(numbered / f"line{number}", base, number)
    reload(server, labelled(base, stable=1))
    publish_slow(numbered, base / "slow", 1, tmp_path / "gate")
    both = config(m=base, slow=base / "slow")
    both.model_config_list.config[0].version_labels["stable"] = 2
    with ThreadPoolExecutor(1) as pool:
        reloading = pool.submit(reload, server, both)
        server.look(lambda: server.server.manager.models["m"].servables[1].state != State.AVAILABLE)
        assert version(server, label="stable") == 2
        assert not reloading.done()
        (tmp_path / "gate").touch()
        reloading.result(WAIT)


def test_a_label_of_a_version_that_went_is_not_found(server, numbered, base):
    publish(numbered / "line1", base, 1)
    made_config = labelled(base, only=1)
    made_config.model_config_list.config[0].model_version_policy.CopyFrom(Policy())
    reload(server, made_config)
    publish(numbered / "line2", base, 2)
    refresh(server)
    refused(server.prediction.Predict, request(x=floats(0), label="only"), grpc.StatusCode.NOT_FOUND)


def test_a_reload_that_cannot_work_is_refused_and_changes_nothing(server, numbered, base, tmp_path):
    publish(numbered / "line1", base, 1)
    reload(server, config(m=base))
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    empty = model_management_pb2.ReloadConfigRequest()
    refused(server.models.HandleReloadConfigRequest, empty, invalid)
    assert "absolute" in reload(server, config(m="relative/path"), code=invalid)
    assert "multiple times" in reload(server, config(m=base), config(m=base), code=invalid)
    publish(numbered / "line2", tmp_path, 2)
    for outside in (tmp_path, server.base / ".." / tmp_path.relative_to(server.base.parent)):
        assert "below what this server was started with" in reload(server, config(m=outside), code=invalid)
    unnamed = config(m=base)
    unnamed.model_config_list.config[0].name = ""
    assert "name" in reload(server, unnamed, code=invalid)
    assert version(server) == 1


def test_a_reload_says_which_model_cannot_be_served(server, numbered, base):
    publish(numbered / "line1", base, 1)
    (base / "empty").mkdir()
    (base / "broken" / "1").mkdir(parents=True)
    reload(server, config(m=base))
    message = reload(server, config(m=base / "nothing"), code=grpc.StatusCode.FAILED_PRECONDITION)
    assert "model 'm'" in message and str(base / "nothing") in message
    assert version(server) == 1
    for folder in ("empty", "broken"):
        message = reload(server, config(other=base / folder), code=grpc.StatusCode.FAILED_PRECONDITION)
        assert "model 'other'" in message and str(base / folder) in message


def test_the_configuration_file_is_followed(numbered, tmp_path):
    for number in (1, 2):
        publish(numbered / f"line{number}", tmp_path / f"base{number}", number)
    file = tmp_path / "models.config"
    file.write_text(str(first := config(m=tmp_path / "base1")))
    with serving(first, poll_seconds=0, config_file=str(file), config_poll_seconds=0.01) as server:
        file.write_text("model_config_list { config { name: ")
        server.look(lambda: server.server.manager.models["m"].available() == [1])
        file.write_text(str(config(m=tmp_path / "base2")))
        server.look(lambda: server.server.manager.models["m"].available() == [2])


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
def test_a_start_that_cannot_work_ends_with_the_reason(numbered, tmp_path, build, error, message):
    publish(numbered / "line1", tmp_path / "good", 1)
    (tmp_path / "base").mkdir()
    with pytest.raises(error, match=message), serving(build(tmp_path / "base")):
        pass


def test_labels_may_come_before_their_versions_when_allowed(numbered, tmp_path):
    publish(numbered / "line1", tmp_path, 1)
    with serving(labelled(tmp_path, next=2), poll_seconds=0, early_labels=True) as server:
        refused(server.prediction.Predict, request(x=floats(0), label="next"), grpc.StatusCode.NOT_FOUND)
        publish(numbered / "line2", tmp_path, 2)
        refresh(server)
        assert version(server, label="next") == 2
