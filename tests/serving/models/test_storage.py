"""Aspired versions: policies, names on disk, and where a client may point."""

import pytest
from google.protobuf import text_format

from tfdfm.serving import config_messages
from tfdfm.serving.models import storage
from tfdfm.serving.status import StatusError


def monitored(base, policy="", **more):
    config = config_messages.ModelServerConfig()
    text = f'model_config_list {{ config {{ name: "m" base_path: "{base}" {policy} }} }}'
    return storage.servables_to_monitor(text_format.Parse(text, config))[0]


def test_versions_are_directories_whose_names_are_numbers(tmp_path):
    for name in ("00000123", "7", "v8", "9.5", "-3", "1e3", "²", ".10", str(2**63), str(2**63 - 1)):
        (tmp_path / name).mkdir()
    (tmp_path / "99").write_text("no directory")
    every = storage.aspired_versions(monitored(tmp_path, "model_version_policy { all {} }"))
    assert list(every) == [7, 123, 2**63 - 1]
    assert every[123][0] == tmp_path / "00000123"


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        ("", [5]),
        ("model_version_policy { latest {} }", [5]),
        ("model_version_policy { latest { num_versions: 2 } }", [3, 5]),
        ("model_version_policy { all {} }", [1, 3, 5]),
        ("model_version_policy { specific { versions: 1 versions: 4 } }", [1]),
    ],
)
def test_policies_choose_versions(tmp_path, policy, numbers):
    for number in (1, 3, 5):
        (tmp_path / str(number)).mkdir()
    assert list(storage.aspired_versions(monitored(tmp_path, policy))) == numbers


@pytest.mark.parametrize("policy", ['model_platform: "caffe"', "model_version_policy { specific {} }"])
def test_a_configuration_that_cannot_work_is_refused(tmp_path, policy):
    with pytest.raises(StatusError, match="model m"):
        monitored(tmp_path, policy)


def test_a_client_stays_below_what_the_operator_gave(tmp_path):
    base, outside = tmp_path / "models", tmp_path / "models_elsewhere"
    for folder in (base / "inner" / "1", outside / "1"):
        folder.mkdir(parents=True)
    (base / "way_out").symlink_to(outside)
    (base / "inner" / "2").symlink_to(outside / "1")
    for path in (outside, base / ".." / "models_elsewhere", base / "way_out", "/", tmp_path):
        with pytest.raises(StatusError, match="base_path below"):
            storage.confined(monitored(path), [base])
    assert list(storage.aspired_versions(storage.confined(monitored(base / "inner"), [base]))) == [1]
    assert list(storage.aspired_versions(storage.confined(monitored(base / "inner"), [base / "inner"]))) == [
        2
    ]  # the operator's own
