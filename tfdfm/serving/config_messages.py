"""The messages of TF Serving's configuration files, and how a file of them is read.

tensorflow-serving-api 2.21 has no modules for three of them: those are described here, field by field, as in
session_bundle_config.proto, monitoring_config.proto and ssl_config.proto of TF Serving 2.20.
"""

import re
from pathlib import Path
from typing import TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from google.protobuf.message import Message
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfdfm.errors import UsageError

__all__ = ["BatchingParameters", "ModelServerConfig", "MonitoringConfig", "SSLConfig", "read"]

AnyMessage = TypeVar("AnyMessage", bound=Message)
_PLACE = re.compile(r"^(\d+:\d+ : )?('.*': )?")  # what text_format puts before its reason: the place and the line there
_KINDS = {"bool": 8, "string": 9, "int64": 3}  # FieldDescriptorProto.Type
_MESSAGES = {  # message: {number: (field, type)}
    "BatchingParameters": {
        1: ("max_batch_size", "google.protobuf.Int64Value"),
        2: ("batch_timeout_micros", "google.protobuf.Int64Value"),
        3: ("max_enqueued_batches", "google.protobuf.Int64Value"),
        4: ("num_batch_threads", "google.protobuf.Int64Value"),
        5: ("thread_pool_name", "google.protobuf.StringValue"),
        6: ("allowed_batch_sizes", "repeated int64"),
        7: ("pad_variable_length_inputs", "bool"),
        8: ("enable_large_batch_splitting", "google.protobuf.BoolValue"),
        9: ("max_execution_batch_size", "google.protobuf.Int64Value"),
    },
    "PrometheusConfig": {1: ("enable", "bool"), 2: ("path", "string")},
    "MonitoringConfig": {1: ("prometheus_config", "tensorflow.serving.PrometheusConfig")},
    "SSLConfig": {
        1: ("server_key", "string"),
        2: ("server_cert", "string"),
        3: ("custom_ca", "string"),
        4: ("client_verify", "bool"),
    },
}


def _field(number: int, name: str, kind: str) -> descriptor_pb2.FieldDescriptorProto:
    field = descriptor_pb2.FieldDescriptorProto(name=name, number=number)
    *repeated, kind = kind.split()
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    field.type = _KINDS.get(kind, field.TYPE_MESSAGE)
    if kind not in _KINDS:
        field.type_name = f".{kind}"
    return field


def _classes() -> dict[str, type[Message]]:
    """In a pool of their own, so that an installed module of the same messages would do no harm."""
    wrappers = descriptor_pb2.FileDescriptorProto.FromString(wrappers_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(name="tfdfm/serving.proto", package="tensorflow.serving", syntax="proto3")
    file.dependency.append(wrappers.name)
    for name, fields in _MESSAGES.items():
        file.message_type.add(name=name, field=[_field(number, *field) for number, field in fields.items()])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(wrappers)
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"tensorflow.serving.{name}")) for name in _MESSAGES}


_made = _classes()
BatchingParameters, MonitoringConfig, SSLConfig = (
    _made[name] for name in ("BatchingParameters", "MonitoringConfig", "SSLConfig")
)


def read(path: str | Path, message_class: type[AnyMessage]) -> AnyMessage:
    """The message that a text file holds. Raises UsageError, naming file, line and reason (never the line: keys)."""
    name = message_class.DESCRIPTOR.name
    try:
        return text_format.Parse(Path(path).read_text("utf-8"), message_class())
    except text_format.ParseError as error:
        reason = _PLACE.sub("", str(error), count=1)
        raise UsageError(f"Expected a {name} in text format in {path}, line {error.GetLine()}: {reason}") from None
    except OSError as error:
        raise UsageError(f"Expected a file with a {name} at {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"Expected a {name} in text format in {path}, given bytes that are not UTF-8.") from None
