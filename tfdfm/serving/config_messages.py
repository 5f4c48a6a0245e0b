"""The messages of TF Serving's configuration files, and `read` for a file of them in text format.

tensorflow-serving-api 2.21 has no modules for three of them: config_messages.textproto describes those, as in
session_bundle_config.proto, monitoring_config.proto and ssl_config.proto of TF Serving 2.20.
"""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from google.protobuf.message import Message
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfdfm.errors import UsageError

__all__ = ["BatchingParameters", "ModelServerConfig", "MonitoringConfig", "SSLConfig", "read"]

AnyMessage = TypeVar("AnyMessage", bound=Message)
_PLACE = re.compile(r"^(\d+:\d+ : )?('.*': )?")  # what text_format puts before its reason: the place and the line there


def _classes(*names: str) -> Iterator[type[Message]]:
    """In a pool of their own, so that an installed module of the same messages would do no harm."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    text = files("tfdfm.serving").joinpath("config_messages.textproto").read_text(encoding="utf-8")
    pool.Add(text_format.Parse(text, descriptor_pb2.FileDescriptorProto()))
    for name in names:
        yield message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))


BatchingParameters, MonitoringConfig, SSLConfig = _classes("BatchingParameters", "MonitoringConfig", "SSLConfig")


def read(path: str | Path, message_class: type[AnyMessage]) -> AnyMessage:
    """The message that a text file holds. Raises UsageError, naming file, line and reason (never the line: keys)."""
    name = message_class.DESCRIPTOR.full_name
    try:
        return text_format.Parse(Path(path).read_text("utf-8"), message_class())
    except text_format.ParseError as error:
        reason = _PLACE.sub("", str(error), count=1)
        raise UsageError(f"Error parsing text-format {name} in {path}, line {error.GetLine()}: {reason}") from None
    except OSError as error:
        raise UsageError(f"Expected a file with a {name} at {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"Error parsing text-format {name} in {path}: the bytes are not UTF-8.") from None
