"""What a model answers with, and what it is trained on.

Age is either a distribution over the years 0 to 116 (DEX, Rothe et al. 2018; trained on a Gaussian
about the label as in DLDL-v2, Gao et al. 2018, with an L1 term on the expectation), or a single
sigmoid read as age / 116. A distribution is answered with its median, the year of the least
absolute error: on UTKFace that was 0.05 to 0.1 years better than the expectation. Gender is one
logit.
"""

from typing import Literal

import keras
from keras import ops

from schema import features

AgeHead = Literal["distribution", "regression"]
AGE_BINS = features.MAX_AGE + 1


def age_output(trunk: keras.KerasTensor, head: AgeHead) -> keras.KerasTensor:
    """The age logits on a trunk of float [n, d]: [n, 117] (distribution) or [n, 1] (regression)."""
    units = AGE_BINS if head == "distribution" else 1
    return keras.layers.Dense(units, dtype="float32", name=features.AGE)(trunk)


def gender_output(trunk: keras.KerasTensor) -> keras.KerasTensor:
    """The logit of "female" on a trunk of float [n, d]: [n, 1]."""
    return keras.layers.Dense(1, dtype="float32", name=features.GENDER)(trunk)


def is_distribution(logits: keras.KerasTensor) -> bool:
    """Whether age logits [n, d] are of a distribution; otherwise they are of a regression."""
    return bool(logits.shape[-1] == AGE_BINS)


def mean_age_logits(logits: list[keras.KerasTensor]) -> keras.KerasTensor:
    """The logits of the mean answer of several heads of one kind, [n, 117] or [n, 1] each."""
    if is_distribution(logits[0]):
        shares = ops.mean(ops.stack([ops.softmax(one, axis=-1) for one in logits]), axis=0)
        return ops.log(ops.maximum(shares, 1e-9))
    shares = ops.mean(ops.stack([ops.sigmoid(one) for one in logits]), axis=0)
    shares = ops.clip(shares, 1e-6, 1 - 1e-6)
    return ops.log(shares / (1 - shares))


def age_years(logits: keras.KerasTensor) -> keras.KerasTensor:
    """The answered ages in years, float [n], of age logits of either head."""
    if is_distribution(logits):
        return median_age(ops.softmax(logits, axis=-1))
    return ops.sigmoid(logits[:, 0]) * features.MAX_AGE


def expected_age(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Ages in years, float [n], of age logits of either head, which gradients pass through."""
    if is_distribution(logits):
        years = ops.arange(AGE_BINS, dtype="float32")
        return ops.sum(ops.softmax(logits, axis=-1) * years, axis=-1)
    return age_years(logits)


def median_age(probabilities: keras.KerasTensor) -> keras.KerasTensor:
    """The years, float [n], in which probabilities of the years, [n, 117], sum up to a half."""
    # Without the last year: where rounding keeps the sum under the half, it is the last.
    below = ops.cumsum(probabilities[:, :-1], axis=-1) < 0.5
    return ops.sum(ops.cast(below, "float32"), axis=-1)


def age_quantile(probabilities: keras.KerasTensor, share: float) -> keras.KerasTensor:
    """The age in years, float [n], below which a share of a distribution lies.

    What a year holds is taken to lie evenly between half a year before and half a year after.

    Args:
      probabilities: of the years 0 to 116, [n, 117].
      share: between 0 and 1.
    """
    # Without the last year: where rounding keeps the sum under the share, it is the last.
    earlier = probabilities[:, :-1]
    below = ops.cast(ops.cumsum(earlier, axis=-1) < share, "float32")
    year = ops.sum(below, axis=-1)
    before = ops.sum(below * earlier, axis=-1)
    index = ops.expand_dims(ops.cast(year, "int32"), axis=-1)
    within = ops.take_along_axis(probabilities, index, axis=-1)[:, 0]
    part = ops.clip((share - before) / ops.maximum(within, 1e-9), 0.0, 1.0)
    return ops.clip(year - 0.5 + part, 0.0, features.MAX_AGE)


def bell(years: keras.KerasTensor, sigma: float) -> keras.KerasTensor:
    """Gaussians about ages in years, [n], over the years there are: [n, 117], each summing to 1."""
    centres = ops.cast(ops.reshape(years, (-1, 1)), "float32")
    apart = ops.arange(AGE_BINS, dtype="float32")[None, :] - centres
    density = ops.exp(-0.5 * ops.square(apart / sigma))
    return density / ops.sum(density, axis=-1, keepdims=True)


def labelled_years(y_true: keras.KerasTensor) -> keras.KerasTensor:
    """The years, float [n], of labels of age, soft ones or not (see AgeLoss)."""
    years = y_true[:, 0] if _is_soft(y_true) else ops.reshape(y_true, (-1,))
    return ops.cast(years, "float32")


def _is_soft(y_true: keras.KerasTensor) -> bool:
    return len(y_true.shape) > 1 and y_true.shape[-1] == 1 + AGE_BINS


@keras.saving.register_keras_serializable("agegender")
class AgeLoss(keras.losses.Loss):
    """Loss of age logits against ages in years, [n] or [n, 1].

    Distribution: cross-entropy with a Gaussian of `sigma` years about the label, plus `l1` times
    the absolute error of the expectation in years. Regression: the absolute error in years times
    `l1`. Soft labels of a distribution, [n, 1 + 117], are the years and, in place of the Gaussian,
    a distribution.
    """

    def __init__(self, sigma: float = 2.0, l1: float = 0.2, name: str = "age_loss") -> None:
        super().__init__(name=name)
        self.sigma, self.l1 = sigma, l1

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Loss per example, float [n]."""
        truth = labelled_years(y_true)
        error = self.l1 * ops.abs(expected_age(y_pred) - truth)
        if not is_distribution(y_pred):
            return error
        target = y_true[:, 1:] if _is_soft(y_true) else bell(truth, self.sigma)
        return error - ops.sum(target * ops.log_softmax(y_pred, axis=-1), axis=-1)

    def get_config(self) -> dict[str, object]:
        """What a copy is made from."""
        return {"sigma": self.sigma, "l1": self.l1, "name": self.name}


@keras.saving.register_keras_serializable("agegender")
def age_mae(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Absolute error in years per example, float [n]; against the years of soft labels."""
    return ops.abs(age_years(y_pred) - labelled_years(y_true))


@keras.saving.register_keras_serializable("agegender")
def gender_hit(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Whether logits, [n, 1], answer as labels from 0 to 1 do: 1.0 or 0.0, float [n]."""
    female = ops.reshape(y_true, (-1,)) >= 0.5
    return ops.cast(ops.equal(female, y_pred[:, 0] >= 0), "float32")
