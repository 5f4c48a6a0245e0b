"""The configuration files of TF Serving, as its own text format has them."""

import pytest

from tfdfm.errors import UsageError
from tfdfm.serving import config_messages

EXAMPLES = {
    config_messages.BatchingParameters: """
        max_batch_size { value: 64 }
        batch_timeout_micros { value: 0 }
        max_enqueued_batches { value: 8 }
        num_batch_threads { value: 2 }
        thread_pool_name { value: "batches" }
        allowed_batch_sizes: 8
        allowed_batch_sizes: 64
        pad_variable_length_inputs: true
        enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 32 }
    """,
    config_messages.MonitoringConfig: """prometheus_config { enable: true, path: "/metrics" }""",
    config_messages.SSLConfig: r"""server_key: "a\nb" server_cert: "c" custom_ca: "d" client_verify: true""",
    config_messages.ModelServerConfig: """model_config_list { config {
        name: "digits"  base_path: "/models/digits"  model_platform: "tensorflow"
        model_version_policy { specific { versions: 1 versions: 2 } }
        version_labels { key: "stable" value: 1 }
    } }""",
}
WIRE = {  # the same, byte by byte: field number << 3 | wire type, then the value
    config_messages.BatchingParameters: "0a020840 1200 1a020808 22020802"
    " 2a090a0762617463686573 32020840 3801 42020801 4a020820",
    config_messages.MonitoringConfig: "0a0c 0801 1208 2f6d657472696373",
    config_messages.SSLConfig: "0a03610a62 120163 1a0164 2001",
}


def written(tmp_path, text: str | bytes):
    path = tmp_path / "file.config"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.DESCRIPTOR.name)
def test_every_field_is_read(tmp_path, message):
    read = config_messages.read(written(tmp_path, EXAMPLES[message]), message)
    assert isinstance(read, message)
    assert message.FromString(read.SerializeToString()) == read
    if message is not config_messages.ModelServerConfig:
        assert len(read.ListFields()) == len(message.DESCRIPTOR.fields)


@pytest.mark.parametrize("message", WIRE, ids=lambda message: message.DESCRIPTOR.name)
def test_the_numbers_of_the_fields_are_tf_servings(tmp_path, message):
    read = config_messages.read(written(tmp_path, EXAMPLES[message]), message)
    assert read == message.FromString(bytes.fromhex(WIRE[message]))


def test_what_is_not_given_is_known_not_to_be_given():
    parameters = config_messages.BatchingParameters()
    assert not parameters.HasField("max_batch_size")
    parameters.batch_timeout_micros.value = 0
    assert parameters.HasField("batch_timeout_micros")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_batch_size { value: 64 }\nmax_batch: 3", 'line 2: .* no field named "max_batch"'),
        ("max_batch_size: 3", 'line 1: Expected "{"'),
        ("\n\nmax_batch_size { value: 'many' }", "line 3: Couldn't parse integer"),
        ("max_batch_size { value: 1 ", 'Expected "}"'),
        ("pad_variable_length_inputs: perhaps", 'Expected "true" or "false"'),
        (b"max_batch_size \xff", "not UTF-8"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=said) as caught:
        config_messages.read(path, config_messages.BatchingParameters)
    assert f"Error parsing text-format tensorflow.serving.BatchingParameters in {path}" in str(caught.value)


def test_no_key_is_shown_in_an_error(tmp_path):
    with pytest.raises(UsageError) as caught:
        config_messages.read(
            written(tmp_path, 'server_key: "the secret" client_verify: perhaps'), config_messages.SSLConfig
        )
    assert "secret" not in str(caught.value) and "true" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=f"MonitoringConfig at {tmp_path}/none: No such file"):
        config_messages.read(tmp_path / "none", config_messages.MonitoringConfig)
