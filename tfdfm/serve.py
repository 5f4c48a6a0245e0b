"""Serves exported models by TF Serving's protocol, gRPC and REST, on this machine only unless told otherwise.

    python -m tfdfm.serve --model_base_path=runs/digits-seed0/export

The directory holds one directory for each version, named by its number; new ones are picked up while it runs. The
flags are those of tensorflow_model_server, all of them: some change nothing here and say so. A port of 0 is off, -1 is
any free one.
"""

import math
import os
import socket
import sys
from pathlib import Path

from absl import flags

from tfdfm import cli
from tfdfm.errors import UsageError
from tfdfm.version import __version__

FLAGS = (  # name, default, help, and the least number where that is not 0
    ("model_base_path", "", "directory of one model's versions, or its URL: s3://, gs://"),
    ("model_name", "default", "what clients call it"),
    ("model_config_file", "", "ModelServerConfig in text format, instead of the two flags above"),
    ("model_config_file_poll_wait_seconds", 0.0, "read that file again as often (0 or less: never)", -math.inf),
    ("file_system_poll_wait_seconds", 1.0, "look for new versions as often (0 or less: never)", -math.inf),
    ("allow_version_labels_for_unavailable_models", False, "labels may name versions that are not available"),
    ("host", "127.0.0.1", "address to listen on; 0.0.0.0 opens the server to the network"),
    ("port", 8500, "of gRPC", -1),
    ("rest_api_port", 8501, "of REST", -1),
    ("grpc_socket_path", "", "UNIX socket that gRPC listens on too"),
    ("grpc_channel_arguments", "", "options of the gRPC server: KEY=VALUE,KEY=VALUE"),
    ("ssl_config_file", "", "SSLConfig in text format with PEM text: gRPC by TLS"),
    ("rest_api_tls", False, "REST by TLS, too (a flag of tfdfm's own)"),
    ("token_file", "", "of bearer tokens, one a line: who sends none is refused (a flag of tfdfm's own)"),
    ("rest_api_timeout_in_ms", 30_000, "of a REST request", 1),
    ("rest_api_header_timeout_in_ms", 10_000, "for the headers of a REST request (a flag of tfdfm's own)", 1),
    ("rest_api_max_connections", 1000, "of REST at the same time (a flag of tfdfm's own)", 1),
    ("rest_api_enable_cors_support", False, "let web pages of other origins ask"),
    ("max_request_bytes", 64 << 20, "of a gRPC message and of a REST body", 1),
    ("enable_batching", True, "merge requests that come at the same time into one run"),
    ("batching_parameters_file", "", "BatchingParameters in text format"),
    ("enable_per_model_batching_parameters", False, "a version's batching_params.pbtxt holds for it"),
    ("monitoring_config_file", "", "MonitoringConfig in text format (default: Prometheus's metrics are shown)"),
    ("enable_grpc_healthcheck_service", True, "grpc.health.v1"),
    ("saved_model_tags", "serve", "of the graph that is served: TAG,TAG"),
    ("enable_model_warmup", True, "run a version's tf_serving_warmup_requests before it is available"),
    ("num_request_iterations_for_warmup", 0, "how often each of them (0: once)"),
    ("tensorflow_session_config_file", "", "ConfigProto in text format"),
    ("tensorflow_session_parallelism", 0, "threads inside and between operations (0: all cores)"),
    ("tensorflow_intra_op_parallelism", 0, "threads inside an operation"),
    ("tensorflow_inter_op_parallelism", 0, "operations at the same time"),
    ("per_process_gpu_memory_fraction", 0.0, "of a GPU's memory (0: as it grows)"),
    ("enable_signature_method_name_check", False, "classify and regress only by signatures that say so"),
    ("enable_serialization_as_tensor_content", False, "answer Predict by gRPC with bytes, not typed values"),
    ("version", False, "show it and end"),
    ("use_alts_credentials", False, "is refused: there is no ALTS here"),
)
RETRIED = "a version that failed is tried again when its files change"
TFLITE = "saved_model.pb is served, not model.tflite"
WITHOUT = (  # flags of tensorflow_model_server that change nothing: name, default, what is so instead
    ("rest_api_num_threads", 0, "one event loop answers all requests"),
    ("grpc_max_threads", 0, "one event loop answers all requests"),
    ("num_load_threads", 0, "models are loaded beside each other, the versions of one in turn"),
    ("num_unload_threads", 0, "versions are unloaded beside each other"),
    ("max_num_load_retries", 5, RETRIED),
    ("load_retry_interval_micros", 60_000_000, RETRIED),
    ("flush_filesystem_caches", True, "the system keeps them as it likes"),
    ("remove_unused_fields_from_bundle_metagraph", True, "they are kept for the model's metadata only"),
    ("platform_config_file", "", "every model is a SavedModel of TensorFlow"),
    ("prefer_tflite_model", False, TFLITE),
    ("num_tflite_pools", 0, TFLITE),
    ("num_tflite_interpreters_per_pool", 1, TFLITE),
    ("xla_cpu_compilation_enabled", False, "XLA compiles what a model asks it to"),
    ("xla_gpu_compilation_enabled", False, "XLA compiles what a model asks it to"),
    ("enable_profiler", True, "there is no profiler service"),
    ("thread_pool_factory_config_file", "", "TensorFlow has its own pools of threads"),
    ("mixed_precision", "", "a model runs in the precision of its export"),
    ("skip_initialize_tpu", False, "no TPU is used"),
)


def define(values: flags.FlagValues):
    for name, default, help, *least in FLAGS:
        _define(name, default, help, values, *least)
    for name, default, instead in WITHOUT:
        _define(name, default, f"changes nothing here: {instead}", values)


def _define(name: str, default, help: str, values: flags.FlagValues, least: float = 0) -> None:
    kinds = {bool: flags.DEFINE_boolean, str: flags.DEFINE_string}
    if type(default) in kinds:
        kinds[type(default)](name, default, help, flag_values=values)
    else:
        number = flags.DEFINE_integer if isinstance(default, int) else flags.DEFINE_float
        number(name, default, help, lower_bound=least, flag_values=values)


def main(values: flags.FlagValues) -> None:
    if values.version:
        print(f"tfdfm {__version__}")
        return
    for name, default, instead in WITHOUT:
        if values[name].value != default:
            print(f"tfdfm: --{name} changes nothing here: {instead}.", file=sys.stderr)
    from tfdfm.serving import config_messages, server

    _check(values)
    options = server.Options(
        config=_config(values),
        host=values.host,
        port=values.port,
        socket_path=values.grpc_socket_path,
        rest_port=values.rest_api_port,
        rest_timeout_ms=values.rest_api_timeout_in_ms,
        rest_header_ms=values.rest_api_header_timeout_in_ms,
        rest_connections=values.rest_api_max_connections,
        cors=values.rest_api_enable_cors_support,
        max_bytes=values.max_request_bytes,
        queue_options=_queue_options(values),
        poll_seconds=values.file_system_poll_wait_seconds,
        config_file=values.model_config_file,
        config_poll_seconds=values.model_config_file_poll_wait_seconds,
        early_labels=values.allow_version_labels_for_unavailable_models,
        health=values.enable_grpc_healthcheck_service,
        metrics_path=_metrics_path(values),
        channel_arguments=_arguments(values.grpc_channel_arguments),
        ssl=config_messages.read(values.ssl_config_file, config_messages.SSLConfig) if values.ssl_config_file else None,
        rest_tls=values.rest_api_tls,
        token_file=values.token_file,
        load=_load_options(values),
        as_content=values.enable_serialization_as_tensor_content,
    )
    server.serve(options)


def _check(values: flags.FlagValues) -> None:
    if values.use_alts_credentials:
        raise UsageError("Expected no --use_alts_credentials: this server has no ALTS. Use --ssl_config_file.")
    if values.port == values.rest_api_port == 0 and not values.grpc_socket_path:
        raise UsageError("Expected --port, --rest_api_port or --grpc_socket_path; all three are off.")
    if values.grpc_socket_path and not hasattr(socket, "AF_UNIX"):
        raise UsageError("Expected no --grpc_socket_path on a system without UNIX sockets. Use --port.")
    if values.rest_api_tls and not values.ssl_config_file:
        raise UsageError("--rest_api_tls goes with --ssl_config_file.")


def _config(values: flags.FlagValues):
    from tfdfm import stores
    from tfdfm.serving import config_messages

    if values.model_config_file:
        return config_messages.read(values.model_config_file, config_messages.ModelServerConfig)
    if not values.model_base_path:
        raise UsageError("Expected --model_base_path=DIR or --model_config_file=FILE.")
    base = values.model_base_path
    if not stores.is_url(base):
        if not Path(base).is_dir():
            raise UsageError(f"Expected a directory in --model_base_path, given {base!r}.")
        base = os.path.abspath(base)
    model = {"name": values.model_name, "base_path": base, "model_platform": "tensorflow"}
    return config_messages.ModelServerConfig(model_config_list={"config": [model]})


def _load_options(values: flags.FlagValues):
    from tensorflow.core.protobuf.config_pb2 import ConfigProto

    from tfdfm.serving import config_messages
    from tfdfm.serving.models.saved_model import LoadOptions

    path = values.tensorflow_session_config_file
    session = config_messages.read(path, ConfigProto) if path else ConfigProto()
    both, within = values.tensorflow_session_parallelism, values.tensorflow_intra_op_parallelism
    between = values.tensorflow_inter_op_parallelism
    if both and (within or between):
        raise UsageError("Expected --tensorflow_session_parallelism or the other two of parallelism, given both.")
    if within or both:
        session.intra_op_parallelism_threads = within or both
    if between or both:
        session.inter_op_parallelism_threads = between or both
    if values.per_process_gpu_memory_fraction:
        session.gpu_options.per_process_gpu_memory_fraction = values.per_process_gpu_memory_fraction
    return LoadOptions(
        tags=tuple(values.saved_model_tags.split(",")),
        session=session,
        warmups=max(values.num_request_iterations_for_warmup, 1) if values.enable_model_warmup else 0,
        check_method_names=values.enable_signature_method_name_check,
        own_batching=values.enable_per_model_batching_parameters,
    )


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
