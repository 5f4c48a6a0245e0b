"""A toy recipe's joint update, slowly, in float64 and plain operations, from equations 1, 2, 4 and 5 of the paper."""

import numpy as np
import tensorflow as tf
import toys

from tfdfm.random import Random

B, FEATURES = toys.BATCH, 4 * 4 * 8


def norm(x, gain, bias, record):
    axes = list(range(len(x.shape) - 1))
    mean, variance = tf.nn.moments(x, axes)
    count = np.prod([x.shape[axis] for axis in axes])
    record += [mean, variance * count / (count - 1)]
    return (x - mean) / tf.sqrt(variance + 1e-5) * gain + bias


def generator(w, z, record):
    project, *kernels = (w[i] for i in (0, 1, 2, 3, 12))
    x = tf.reshape(tf.nn.relu(norm(z @ project, w[4], w[5], record)), [B, 4, 4, 8])  # units, not maps, are normalised
    sizes = [(8, 8, 2), (8, 4, 1), (16, 4, 2), (16, 1, 1)]
    for place, (kernel, (side, maps, stride)) in enumerate(zip(kernels, sizes, strict=True)):
        if place:
            x = tf.nn.relu(norm(x, w[4 + 2 * place], w[5 + 2 * place], record))
        x = tf.nn.conv2d_transpose(x, kernel, [B, side, side, maps], stride, "SAME")
    return tf.tanh(x)


def discriminator(w, x, record):
    """(score, Phi)"""
    x = tf.nn.conv2d(x, w[0], 1, "SAME")
    for place, stride in enumerate((2, 1, 2)):
        x = tf.nn.conv2d(tf.nn.leaky_relu(x, 0.2), w[1 + place], stride, "SAME")
        x = norm(x, w[4 + 2 * place], w[5 + 2 * place], record)
    phi = tf.reshape(tf.nn.relu(x), [B, FEATURES])
    return (phi @ w[10])[:, 0], phi


def denoiser(w, h, record):
    for place in range(2):
        h = tf.nn.relu(norm(h @ w[place], w[2 + 2 * place], w[3 + 2 * place], record))
    return h @ w[6] + w[7]


def losses(weights, images, z, noise, weight=0.03, sigma=1.0):
    """({player: loss}, {network: statistics of G's, and of the data's in D and r})"""
    g, d, r = weights["generator"], weights["discriminator"], weights["denoiser"]
    kept = {name: [] for name in weights}
    samples = generator(g, z, kept["generator"])
    real, phi_real = discriminator(d, images, kept["discriminator"])
    fake, phi_fake = discriminator(d, samples, [])
    constant = tf.constant(denoiser(r, tf.constant(phi_fake.numpy()), []).numpy())
    clean = tf.constant(phi_real.numpy())
    denoised = denoiser(r, clean + sigma * noise, kept["denoiser"])
    dfm = weight / FEATURES * tf.reduce_sum((phi_fake - constant) ** 2, axis=1)  # eq. 4
    return {
        "generator": tf.reduce_mean(dfm - tf.math.log_sigmoid(fake)),
        "discriminator": tf.reduce_mean(-tf.math.log_sigmoid(real) - tf.math.log_sigmoid(-fake)),
        "denoiser": tf.reduce_mean(tf.reduce_sum((clean - denoised) ** 2, axis=1)),  # eq. 5
    }, kept


class Reference:
    """Every gradient by a tape of its own with all networks as they were, then Adam in NumPy."""

    def __init__(self, trainer, config):
        self.seed, self.adam, self.decay = config.seed, config.optimizer, config.ema_decay
        self.weights = {
            n: [w.numpy().astype(float) for w in net.trainable_variables] for n, net in trainer.networks.items()
        }
        self.populations = {n: populations(net) for n, net in trainer.networks.items()}
        self.m, self.v = ({n: [0 * w for w in of] for n, of in self.weights.items()} for _ in range(2))
        self.average = [w.copy() for w in self.weights["generator"]]
        self.average_populations = [p.copy() for p in self.populations["generator"]]
        self.steps = 0

    def step(self, images):
        random = Random(self.seed, tf.constant(self.steps, tf.int64), tf.constant(0, tf.int64))
        z = tf.cast(random.uniform("latents", [B, toys.LATENTS]), tf.float64) * 2 - 1
        noise = tf.cast(random.normal("corruption", [B, FEATURES]), tf.float64)
        images = tf.constant(images / 127.5 - 1, tf.float64)
        gradients, found = {}, {}
        for player in self.weights:
            weights = {name: [tf.constant(w) for w in of] for name, of in self.weights.items()}
            with tf.GradientTape() as tape:
                tape.watch(weights[player])
                found, kept = losses(weights, images, z, noise)
            gradients[player] = [g.numpy() for g in tape.gradient(found[player], weights[player])]
        self.steps += 1
        for player, of in gradients.items():
            self._move(player, of)
        for name, statistics in kept.items():
            self.populations[name] = [
                0.99 * p + 0.01 * s.numpy() for p, s in zip(self.populations[name], statistics, strict=True)
            ]
        self.average = [
            self.decay * a + (1 - self.decay) * w for a, w in zip(self.average, self.weights["generator"], strict=True)
        ]
        now = zip(self.average_populations, self.populations["generator"], strict=True)
        self.average_populations = [self.decay * a + (1 - self.decay) * p for a, p in now]
        return {name: float(value) for name, value in found.items()}

    def _move(self, player, gradients):
        a, t = self.adam, self.steps
        for i, g in enumerate(gradients):
            self.m[player][i] = m = a.beta_1 * self.m[player][i] + (1 - a.beta_1) * g
            self.v[player][i] = v = a.beta_2 * self.v[player][i] + (1 - a.beta_2) * g**2
            rate = a.learning_rate * np.sqrt(1 - a.beta_2**t) / (1 - a.beta_1**t)
            self.weights[player][i] = self.weights[player][i] - rate * m / (np.sqrt(v) + a.epsilon)


def populations(network):
    """[mean, variance, ...] in the order of the layers."""
    first = [network.project_norm] if hasattr(network, "project_norm") else []
    return [value.numpy().astype(float) for layer in [*first, *network.norms] for value in (layer.mean, layer.variance)]
