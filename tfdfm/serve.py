"""Serves exported models by TF Serving's protocol, gRPC and REST, on this machine only unless told otherwise.

    python -m tfdfm.serve --model_base_path=runs/digits-seed0/export

The directory holds one directory for each version, named by its number; new ones are picked up while it runs. The
flags are those of tensorflow_model_server. A port of 0 is off, -1 is any free one.
"""

import os
import socket
from pathlib import Path

from absl import flags

from tfdfm import cli
from tfdfm.errors import UsageError


def define(values: flags.FlagValues):
    def text(name, default, help):
        flags.DEFINE_string(name, default, help, flag_values=values)

    def number(name, default, help, lower=0):
        flags.DEFINE_integer(name, default, help, lower_bound=lower, flag_values=values)

    def seconds(name, default, help):
        flags.DEFINE_float(name, default, help, lower_bound=0, flag_values=values)

    def boolean(name, default, help):
        flags.DEFINE_boolean(name, default, help, flag_values=values)

    text("model_base_path", None, "directory of one model's versions")
    text("model_name", "default", "what clients call it")
    text("model_config_file", None, "ModelServerConfig in text format, instead of the two flags above")
    seconds("model_config_file_poll_wait_seconds", 0, "read that file again as often (0: never)")
    seconds("file_system_poll_wait_seconds", 1, "look for new versions as often (0: never)")
    boolean("allow_version_labels_for_unavailable_models", False, "labels may name versions that are not available")
    text("host", "127.0.0.1", "address to listen on; 0.0.0.0 opens the server to the network")
    number("port", 8500, "of gRPC", lower=-1)
    number("rest_api_port", 8501, "of REST", lower=-1)
    text("grpc_socket_path", "", "UNIX socket that gRPC listens on too")
    text("grpc_channel_arguments", "", "options of the gRPC server: KEY=VALUE,KEY=VALUE")
    text("ssl_config_file", None, "SSLConfig in text format with PEM text: gRPC by TLS")
    number("rest_api_timeout_in_ms", 30_000, "of a REST request", lower=1)
    boolean("rest_api_enable_cors_support", False, "let web pages of other origins ask")
    number("max_request_bytes", 64 << 20, "of a gRPC message and of a REST body", lower=1)
    boolean("enable_batching", True, "merge requests that come at the same time into one run")
    text("batching_parameters_file", None, "BatchingParameters in text format")
    text("monitoring_config_file", None, "MonitoringConfig in text format (default: Prometheus's metrics are shown)")
    boolean("enable_grpc_healthcheck_service", True, "grpc.health.v1")


def main(values: flags.FlagValues) -> None:
    from tfdfm.serving import config_messages, server

    if values.port == values.rest_api_port == server.OFF and not values.grpc_socket_path:
        raise UsageError("Expected --port, --rest_api_port or --grpc_socket_path; all three are off.")
    if values.grpc_socket_path and not hasattr(socket, "AF_UNIX"):
        raise UsageError("Expected no --grpc_socket_path on a system without UNIX sockets. Use --port.")
    options = server.Options(
        config=_config(values),
        host=values.host,
        port=values.port,
        socket_path=values.grpc_socket_path,
        rest_port=values.rest_api_port,
        rest_timeout_ms=values.rest_api_timeout_in_ms,
        cors=values.rest_api_enable_cors_support,
        max_bytes=values.max_request_bytes,
        queue_options=_queue_options(values),
        poll_seconds=values.file_system_poll_wait_seconds,
        config_file=values.model_config_file or "",
        config_poll_seconds=values.model_config_file_poll_wait_seconds,
        early_labels=values.allow_version_labels_for_unavailable_models,
        health=values.enable_grpc_healthcheck_service,
        metrics_path=_metrics_path(values),
        channel_arguments=_arguments(values.grpc_channel_arguments),
        ssl=config_messages.read(values.ssl_config_file, config_messages.SSLConfig) if values.ssl_config_file else None,
    )
    server.serve(options)


def _config(values: flags.FlagValues):
    from tfdfm.serving import config_messages

    if values.model_config_file:
        return config_messages.read(values.model_config_file, config_messages.ModelServerConfig)
    if not values.model_base_path:
        raise UsageError("Expected --model_base_path=DIR or --model_config_file=FILE.")
    if not Path(values.model_base_path).is_dir():
        raise UsageError(f"Expected a directory in --model_base_path, given {values.model_base_path!r}.")
    base = os.path.abspath(values.model_base_path)
    model = {"name": values.model_name, "base_path": base, "model_platform": "tensorflow"}
    return config_messages.ModelServerConfig(model_config_list={"config": [model]})


def _queue_options(values: flags.FlagValues):
    from tfdfm.serving import config_messages
    from tfdfm.serving.models import batching

    if not values.batching_parameters_file:
        return batching.QueueOptions() if values.enable_batching else batching.UNMERGED
    if not values.enable_batching:
        raise UsageError("--batching_parameters_file goes with --enable_batching.")
    return batching.queue_options(
        config_messages.read(values.batching_parameters_file, config_messages.BatchingParameters)
    )


def _metrics_path(values: flags.FlagValues) -> str | None:
    from tfdfm.serving import config_messages, prometheus

    if not values.monitoring_config_file:
        return prometheus.PATH
    config = config_messages.read(values.monitoring_config_file, config_messages.MonitoringConfig).prometheus_config
    return (config.path or prometheus.PATH) if config.enable else None


def _arguments(text: str) -> tuple[tuple[str, str | int], ...]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if wrong := [key for key, equals, _ in pairs if not (key and equals)]:
        raise UsageError(f"Expected --grpc_channel_arguments=KEY=VALUE,KEY=VALUE, given {wrong[0]!r}.")
    return tuple((key, int(value) if value.lstrip("-").isdecimal() else value) for key, _, value in pairs)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
