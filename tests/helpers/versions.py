"""Steps in the life of a model that many tests take: publish, reload, ask which version answers."""

import numpy as np
import tensorflow as tf
from running import WAIT, State, arrays, config, refused, request
from servables import floats, publish
from tensorflow_serving.apis import model_management_pb2, prediction_log_pb2
from tensorflow_serving.config import file_system_storage_path_source_pb2

from tfdfm.serving.models import tensors

Policy = file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy


def reload(server, *configs, code=None):
    asked = model_management_pb2.ReloadConfigRequest()
    asked.config.model_config_list.SetInParent()
    for one in configs:
        asked.config.model_config_list.config.extend(one.model_config_list.config)
    if code is None:
        assert server.models.HandleReloadConfigRequest(asked, WAIT).status.error_code == 0
        return None
    return refused(server.models.HandleReloadConfigRequest, asked, code)


def with_policy(made, **policy):
    made.model_config_list.config[0].model_version_policy.CopyFrom(Policy(**policy))
    return made


def labelled(base, **labels):
    made = with_policy(config(m=base), all={})
    for label, number in labels.items():
        made.model_config_list.config[0].version_labels[label] = number
    return made


def version(server, **place):
    """The number of the version that answers."""
    response = server.prediction.Predict(request(x=floats(0), **place), WAIT)
    assert arrays(response)["y"][0] == response.model_spec.version.value
    return response.model_spec.version.value


def refresh(server):
    server.do(server.server.manager.refresh())


def states(server, *numbers, model="m"):
    found = server.states(model)
    return tuple(found[number] for number in numbers)


def ended(server, number, model="m"):
    """Waits until the session of a version is closed."""
    servable = server.server.manager.models[model].servables[number]
    server.look(lambda: servable.bundle is None and servable.state == State.END)


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
