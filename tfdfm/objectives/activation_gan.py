"""The thesis's own system (Iliescu, 2018, section 5.1): G's early layers are to look like D's late ones."""

import tensorflow as tf

from tfdfm.objectives.base import ADVERSARIAL, Losses
from tfdfm.objectives.forward import Forward, once
from tfdfm.objectives.minimax import cross_entropy
from tfdfm.objectives.nonsaturating import NonSaturating


class Activations(Forward):
    """D_f(x) and G_f(z) beside the usual, from the same pass of each network."""

    @once
    def layers(self) -> list[tf.Tensor]:
        return self.networks["generator"].activations(self.latents, self.sample_labels, self.tracked)

    @once
    def generated(self) -> tf.Tensor:
        return self.networks["generator"].image(self.layers[-1], self.sample_labels)

    @once
    def shown(self) -> tuple[tf.Tensor, tf.Tensor]:
        """(D_f(x), conv3 of D on data, a constant here; G_f(z), conv2 of G, whose conv1 is the linear layer)."""
        return tf.stop_gradient(self.real.normalised[2]), self.layers[1]

    @once
    def separated(self) -> tuple[tf.Tensor, tf.Tensor]:
        """F's scores of both, [B] each."""
        separator, (data, samples) = self.networks["separator"], self.shown
        return separator(data, statistics=self.tracked), separator(samples, statistics=self.untracked)


class ActivationGan(NonSaturating):
    """A further discriminator F separates D's conv3 on data from G's conv2 on samples. L_F reaches F and G, never D.

    The thesis leaves open: which activations (here after batch norm and before the nonlinearity, since D's leaky ReLU
    has negative values where G's ReLU has none, and F would need no more than their sign); what F is made of; the
    weight of L_F (1, as written); whether G's form is the saturating one that eq. 21 writes (here not, in both parts,
    as in the recipe without F).
    """

    forward = Activations
    players = {**ADVERSARIAL, "separator": ("separator",)}
    needs = ("normalised",)

    def separator_loss(self, forward: Activations) -> Losses:
        data, samples = forward.separated
        return {
            "data": cross_entropy(data, 1.0),  # - log F(D_f(x))          (eq. 21, L_F)
            "samples": cross_entropy(samples, 0.0),  # - log(1 - F(G_f(z)))  (eq. 21, L_F)
        }

    def generator_loss(self, forward: Activations) -> Losses:
        _, samples = forward.separated
        return super().generator_loss(forward) | {"activations": cross_entropy(samples, 1.0)}  # - log F(G_f(z))

    def diagnostics(self, forward: Activations, losses: dict[str, Losses]) -> Losses:
        data, samples = forward.separated
        return super().diagnostics(forward, losses) | {
            "separator/accuracy_data": tf.reduce_mean(tf.cast(data > 0, tf.float32)),
            "separator/accuracy_samples": tf.reduce_mean(tf.cast(samples < 0, tf.float32)),
        }
