"""The smallest recipes that still have everything, and ways to step them."""

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from tfdfm import recipes
from tfdfm.objectives.forward import Forward
from tfdfm.random import Random
from tfdfm.training import build
from tfdfm.training.trainer import Trainer

SIZE, LATENTS, BATCH, CLASSES = 16, 8, 8, 3


def recipe(**changes) -> ConfigDict:
    """A checked recipe of 16 pixels. Adam's epsilon is large: the update is then a smooth function of the gradient."""
    config = recipes.defaults()
    config.update(image_size=SIZE, latent_size=LATENTS, batch_size=BATCH, log_every=2, jit="off")
    config.generator.width = config.discriminator.width = 4
    config.denoiser.update(depth=2, width=16)
    config.optimizer.update(learning_rate=1e-2, epsilon=1e-3)
    config.update(changes)
    return recipes.check(config)


def trainer(strategy: tf.distribute.Strategy | None = None, *, jit: bool = False, **changes) -> Trainer:
    config = recipe(**changes)
    with (strategy or tf.distribute.get_strategy()).scope():
        return build.trainer(config, 1, CLASSES, jit=jit)


def batch(number: int = 0, size: int = BATCH, labels: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(number)
    images = rng.integers(0, 256, (size, SIZE, SIZE, 1), dtype=np.uint8)
    return {"images": images} | ({"labels": rng.integers(0, CLASSES, size, dtype=np.int32)} if labels else {})


def forward(trainer: Trainer, step: int = 0, **kwargs) -> Forward:
    """The passes of an update, with population statistics unless `tracked` and `untracked` are given."""
    step, position = tf.constant(step, tf.int64), tf.constant(0, tf.int64)
    random = Random(trainer.joint_update.settings.seed, step, position)
    images = tf.constant(batch()["images"])
    latent = (LATENTS, trainer.joint_update.settings.prior)
    return trainer.joint_update._forward(
        trainer.networks, images, None, random=random, latent=latent, step=step, **kwargs
    )


def stepper(trainer: Trainer, *, graph: bool = True):
    """A function from a batch to the logs of one step, {name: float}."""
    function = tf.function(trainer.train_step, autograph=False) if graph else trainer.train_step

    def step(batch):
        logs = function({name: tf.constant(value) for name, value in batch.items()})
        return {name: float(value[0]) for name, value in logs.items()}

    return step


def replicated(trainer: Trainer, strategy: tf.distribute.Strategy):
    """The same over the replicas of `strategy`: each takes its slice of the global batch."""
    replicas = strategy.num_replicas_in_sync

    @tf.function(autograph=False)
    def run(shares):
        return strategy.run(trainer.train_step, (shares,))

    def step(batch):
        def share(context):
            place = context.replica_id_in_sync_group
            steps = {name: np.split(value, trainer.joint_update.settings.n_critic) for name, value in batch.items()}
            shares = {name: [np.split(step, replicas)[place] for step in each] for name, each in steps.items()}
            return {name: tf.constant(np.concatenate(share)) for name, share in shares.items()}

        logs = run(strategy.experimental_distribute_values_from_function(share))
        return {name: float(strategy.experimental_local_results(value)[0][0]) for name, value in logs.items()}

    return step


def state(trainer: Trainer) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in trainer.variables_by_name().items()}
