"""The command's flags, and mistakes in them."""

import socket

import pytest
import servables
from running import config

from tfdfm import cli, serve, version
from tfdfm.errors import UsageError
from tfdfm.serving import config_messages, server
from tfdfm.serving.models import batching
from tfdfm.serving.models.saved_model import LoadOptions


@pytest.fixture
def options(monkeypatch, tmp_path):
    """What the flags come to, without a server."""
    (tmp_path / "base").mkdir()
    got = []
    monkeypatch.setattr(server, "serve", got.append)
    monkeypatch.chdir(tmp_path)

    def make(*flags):
        base = () if any(flag.startswith("--model_") for flag in flags) else ("--model_base_path=base",)
        serve.main(cli.parse(["serve", *base, *flags], serve.define, serve.__doc__))
        return got.pop()

    return make


def test_the_defaults_are_those_of_tf_serving(options, tmp_path):
    made = options()
    assert made.config == config(default=tmp_path / "base")
    assert (made.host, made.port, made.rest_port, made.rest_timeout_ms) == ("127.0.0.1", 8500, 8501, 30_000)
    assert (made.poll_seconds, made.config_poll_seconds, made.early_labels, made.cors) == (1, 0, False, False)
    assert made.queue_options == batching.QueueOptions() and made.queue_options.merge and made.ssl is None
    assert made.metrics_path == "/monitoring/prometheus/metrics"


def test_a_system_without_unix_sockets(options, monkeypatch):
    assert options("--grpc_socket_path=here").socket_path == "here"
    monkeypatch.delattr(socket, "AF_UNIX")
    assert options().socket_path == ""
    with pytest.raises(UsageError, match="--grpc_socket_path on a system without UNIX sockets"):
        options("--grpc_socket_path=here")


def test_flags_are_those_of_tf_serving(options, tmp_path):
    (tmp_path / "models").write_text('model_config_list { config { name: "m" base_path: "/models/m" } }')
    (tmp_path / "batching").write_text("max_batch_size { value: 8 } allowed_batch_sizes: 8")
    (tmp_path / "monitoring").write_text("prometheus_config { enable: false }")
    made = options(
        "--model_config_file=models",
        "--model_name=ignored",
        "--model_base_path=ignored",
        "--model_config_file_poll_wait_seconds=60",
        "--file_system_poll_wait_seconds=0",
        "--enable_batching=true",
        "--batching_parameters_file=batching",
        "--monitoring_config_file=monitoring",
        "--rest_api_timeout_in_ms=5000",
        "--grpc_channel_arguments=grpc.max_concurrent_streams=10,grpc.optimization_target=latency",
        "--enable_grpc_healthcheck_service=false",
        "--allow_version_labels_for_unavailable_models",
        "--rest_api_enable_cors_support",
        "--host=0.0.0.0",
    )
    assert made.config.model_config_list.config[0].base_path == "/models/m"
    assert (made.poll_seconds, made.config_poll_seconds, made.early_labels, made.cors) == (0, 60, True, True)
    assert made.queue_options.max_rows == 8 and made.queue_options.sizes == (8,)
    assert made.metrics_path is None and made.rest_timeout_ms == 5000 and not made.health and made.host == "0.0.0.0"
    assert made.channel_arguments == (("grpc.max_concurrent_streams", 10), ("grpc.optimization_target", "latency"))


def test_how_models_are_loaded(options, tmp_path):
    assert options().load == LoadOptions() and not options().as_content
    (tmp_path / "session").write_text("log_device_placement: true intra_op_parallelism_threads: 7")
    made = options(
        "--saved_model_tags=serve,gpu",
        "--tensorflow_session_config_file=session",
        "--tensorflow_inter_op_parallelism=3",
        "--per_process_gpu_memory_fraction=0.5",
        "--num_request_iterations_for_warmup=4",
        "--enable_signature_method_name_check",
        "--enable_per_model_batching_parameters",
        "--enable_serialization_as_tensor_content",
        "--file_system_poll_wait_seconds=-1",
    )
    assert made.load.tags == ("serve", "gpu") and made.load.warmups == 4 and made.poll_seconds == -1
    assert made.load.check_method_names and made.load.own_batching and made.as_content
    session = made.load.session
    assert session.log_device_placement and session.gpu_options.per_process_gpu_memory_fraction == 0.5
    assert (session.intra_op_parallelism_threads, session.inter_op_parallelism_threads) == (7, 3)
    session = options("--tensorflow_session_parallelism=2").load.session
    assert (session.intra_op_parallelism_threads, session.inter_op_parallelism_threads) == (2, 2)
    assert options("--enable_model_warmup=false").load.warmups == 0


def test_what_changes_nothing_says_so(options, capsys):
    for name, default, instead in serve.WITHOUT:
        options(f"--{name}={default}")
        assert capsys.readouterr().err == ""
        other = "x" if isinstance(default, str) else not default if isinstance(default, bool) else default + 1
        options(f"--{name}={other}")
        assert capsys.readouterr().err == f"tfdfm: --{name} changes nothing here: {instead}.\n"


def test_flags_of_our_own(options):
    made = options("--rest_api_max_connections=7", "--rest_api_header_timeout_in_ms=9", "--token_file=here")
    assert (made.rest_connections, made.rest_header_ms, made.token_file, made.rest_tls) == (7, 9, "here", False)


def test_the_version(capsys):
    serve.main(cli.parse(["serve", "--version"], serve.define, ""))
    assert capsys.readouterr().out == f"tfdfm {version.__version__}\n"


def test_batching_may_be_off(options):
    assert not options("--enable_batching=false").queue_options.merge


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model_name=m"], "--model_base_path=DIR"),
        (["--model_base_path=nothing"], "directory.*'nothing'"),
        (["--model_config_file=nothing"], "nothing"),
        (["--port=0", "--rest_api_port=0"], "all three are off"),
        (["--batching_parameters_file=x", "--enable_batching=false"], "enable_batching"),
        (["--grpc_channel_arguments=x"], "KEY=VALUE.*'x'"),
        (["--ssl_config_file=nothing"], "SSLConfig"),
        (["stray"], "stray"),
        (["--use_alts_credentials"], "no ALTS. Use --ssl_config_file"),
        (["--tensorflow_session_parallelism=1", "--tensorflow_intra_op_parallelism=1"], "given both"),
        (["--tensorflow_session_config_file=nothing"], "ConfigProto at nothing: No such file"),
    ],
    ids=str,
)
def test_mistakes(options, flags, message):
    with pytest.raises(UsageError, match=message):
        options(*flags)


@pytest.mark.parametrize("kind", ["gRPC", "REST", "socket"])
def test_a_port_that_is_taken(tmp_path, kind):
    import socket

    from running import serving

    from tfdfm.errors import Failure

    servables.line(tmp_path / "base" / "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = {"gRPC": {"port": port}, "REST": {"rest_port": port}, "socket": {"socket_path": "/nowhere/at/all"}}
        with pytest.raises(Failure, match="Cannot listen"), serving(config(m=tmp_path / "base"), **flags[kind]):
            pass


@pytest.mark.parametrize(("key", "cert"), [("", ""), ("no key", "no certificate")])
def test_damaged_keys(tmp_path, key, cert):
    from running import serving

    from tfdfm.errors import Failure

    servables.line(tmp_path / "base" / "1")
    ssl = config_messages.SSLConfig(server_key=key, server_cert=cert)
    with pytest.raises((Failure, UsageError), match="key"), serving(config(m=tmp_path / "base"), ssl=ssl):
        pass
