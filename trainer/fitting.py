"""How a model is fitted: in one go, or its heads first and its backbone after."""

import math
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schema import features
from trainer import dataset, devices, families, frozen, heads, progress, teachers
from trainer.age_weights import age_weights
from trainer.callbacks import ReportProgress, ValScore
from trainer.hyperparameters import Hyperparameters
from trainer.weight_average import WeightAverage
from trainer.weights import starts_trained

History = dict[str, list[float]]

_TEACHERS_SEED = 1000  # between the seeds of a model and its teachers


@dataclass(frozen=True)
class Fitted:
    """What came of a training.

    Attributes:
      model: in float32, with the weights of the epoch of the best val score.
      history: curves by name, a value per epoch.
      frozen_epochs: how many of the epochs trained the heads alone.
      age_weights: of a face in the age loss by its year of age, [117]; None where all weigh alike.
    """

    model: keras.Model
    history: History
    frozen_epochs: int
    age_weights: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class _Data:
    train: tf.data.Dataset  # single examples
    val: tf.data.Dataset  # batches
    cache: str
    weights: npt.NDArray[np.float32] | None
    embedded: dict[str, frozen.Embedded]


def fit(
    name: str,
    store_size: int,
    hyper: Hyperparameters,
    policy: str,
    train: tf.data.Dataset,
    val: tf.data.Dataset,
    cache: str = "",
    embedded: dict[str, frozen.Embedded] | None = None,
) -> Fitted:
    """Trains one model on train and stops it on val.

    Args:
      name: of the trained model.
      store_size: side of the stored pictures, pixels.
      hyper: what it is told.
      policy: the Keras dtype policy to train in.
      train: single examples from dataset.load.
      val: batches of examples.
      cache: a file to cache the parsed examples in, or "" for memory.
      embedded: features of a frozen backbone, by split, for one that is trained several times on
        the same data; what is missing is added.
    """
    answers = families.family(name).answers
    embedded = {} if embedded is None else embedded
    train, val = dataset.answered(train, answers), dataset.answered(val, answers)
    weights = None
    if hyper.age_weights != "none" and features.AGE in answers:
        weights = age_weights(dataset.ages(train), hyper.age_weights)
    if hyper.teachers:
        told = (name, store_size, hyper, policy, train, val, cache, embedded)
        train = teachers.taught(train, _teachers(*told), hyper)
    data = _Data(train, val, cache, weights, embedded)
    keras.config.set_dtype_policy(policy)
    try:
        with devices.strategy().scope():
            model = families.build(name, store_size, hyper)
            history, frozen_epochs = _fit_in_phases(model, hyper, data)
    finally:
        keras.config.set_dtype_policy("float32")
    return Fitted(in_float32(model), history, frozen_epochs, weights)


def _teachers(
    name: str,
    store_size: int,
    hyper: Hyperparameters,
    policy: str,
    train: tf.data.Dataset,
    val: tf.data.Dataset,
    cache: str,
    embedded: dict[str, frozen.Embedded],
) -> list[keras.Model]:
    """Models trained likewise, but from other seeds and of the labels alone."""
    models = []
    for number in range(1, hyper.teachers + 1):
        seed = hyper.seed + _TEACHERS_SEED * number
        alone = hyper.model_copy(update={"teachers": 0, "seed": seed})
        keras.utils.set_random_seed(seed)
        file = f"{cache}-teacher{number}" if cache else ""  # a cache holds the labels too
        with progress.acting_as(f"teacher {number} of {hyper.teachers}"):
            taught = fit(name, store_size, alone, policy, train, val, file, embedded)
        models.append(taught.model)
    keras.utils.set_random_seed(hyper.seed)
    return models


def _fit_in_phases(model: keras.Model, hyper: Hyperparameters, data: _Data) -> tuple[History, int]:
    """The curves of all epochs, and how many of them trained the heads alone."""
    if not starts_trained(model.name, hyper):
        return _fit_whole(model, hyper, data, hyper.learning_rate), 0
    history: History = {}
    count = 0
    if hyper.transfer.frozen_epochs:
        history = _fit_heads(model, hyper, data)
        count = len(history["loss"])
    if hyper.transfer.unfrozen:
        heads_alone, best = model.get_weights(), min(history.get(ValScore.NAME, [math.inf]))
        frozen.unfreeze(model, hyper.transfer)
        further = _fit_whole(model, hyper, data, hyper.transfer.learning_rate)
        if best <= min(further[ValScore.NAME]):
            model.set_weights(heads_alone)
        history = {key: [*history.get(key, []), *values] for key, values in further.items()}
    return history, count


def _fit_heads(model: keras.Model, hyper: Hyperparameters, data: _Data) -> History:
    """Trains what stands on the frozen backbone, whose features are computed once."""
    batch = hyper.batch_size
    if not data.embedded:
        batches = dataset.plain_batches(data.train, batch)
        data.embedded["train"] = frozen.embed(model, batches, mirror=hyper.augmentation.flip)
        data.embedded["val"] = frozen.embed(model, data.val, mirror=False)
    train, val = data.embedded["train"], data.embedded["val"]
    size = min(batch, len(train.straight))
    batches = dataset.feature_batches(
        train.straight, train.mirrored, train.labels, size, hyper.seed, data.weights
    )
    val_batches = dataset.plain_batches(
        tf.data.Dataset.from_tensor_slices((val.straight, val.labels)), batch
    )
    steps = len(train.straight) // size
    return _run(
        frozen.heads_of(model),
        hyper,
        batches,
        val_batches,
        hyper.transfer.frozen_epochs,
        steps,
        hyper.learning_rate,
    )


def _fit_whole(model: keras.Model, hyper: Hyperparameters, data: _Data, rate: float) -> History:
    count = int(data.train.cardinality())
    batch_size = min(hyper.batch_size, count)
    batches = dataset.training_batches(
        data.train, batch_size, hyper.augmentation, hyper.seed, data.cache, data.weights
    )
    return _run(model, hyper, batches, data.val, hyper.epochs, count // batch_size, rate)


def _run(
    model: keras.Model,
    hyper: Hyperparameters,
    batches: tf.data.Dataset,
    val: tf.data.Dataset,
    epochs: int,
    steps: int,
    rate: float,
) -> History:
    """Fits, leaves the model with the weights of its best epoch, and returns its curves."""
    compile_model(model, hyper, steps * epochs, rate)
    callbacks = [
        ValScore(),  # first: EarlyStopping looks at what it adds
        keras.callbacks.EarlyStopping(
            ValScore.NAME, mode="min", patience=hyper.patience, restore_best_weights=True
        ),
        ReportProgress(model.name, epochs, steps, progress.report),
    ]
    if hyper.ema:
        callbacks.append(WeightAverage(hyper.ema))  # last: the others see the average
    fitted = model.fit(
        batches,
        epochs=epochs,
        validation_data=val,
        callbacks=callbacks,
        shuffle=False,  # the dataset does it
        verbose=0,
    )
    return {name: [float(v) for v in values] for name, values in fitted.history.items()}


def compile_model(
    model: keras.Model, hyper: Hyperparameters, steps: int, rate: float | None = None
) -> None:
    """Losses and metrics of what the model answers, and AdamW.

    Args:
      model: answers a dict of logits, `age` and/or `gender`.
      hyper: what it is told.
      steps: in all, for the linear warm-up and the cosine decay.
      rate: the peak learning rate; that of `hyper` if none.
    """
    rate = hyper.learning_rate if rate is None else rate
    warmup_steps = int(steps * hyper.warmup)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=rate / 50,
        decay_steps=max(steps - warmup_steps, 1),
        alpha=0.01,
        warmup_target=rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=hyper.weight_decay,
        global_clipnorm=hyper.clip_norm,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    answers = list(model.output)
    losses = {
        features.AGE: heads.AgeLoss(hyper.age_sigma, hyper.age_l1),
        features.GENDER: keras.losses.BinaryCrossentropy(from_logits=True),
    }
    importance = {features.AGE: 1.0, features.GENDER: hyper.gender_weight}
    model.compile(
        optimizer,
        loss={name: losses[name] for name in answers},
        loss_weights={name: importance[name] for name in answers},
        metrics={name: [_metric(name, alone=len(answers) == 1)] for name in answers},
        jit_compile=False,  # XLA made convolutions slower on CPUs
    )


def _metric(answer: str, alone: bool) -> keras.metrics.Metric:
    # Keras puts the output's name before the metric's, but not where there is one output.
    prefix = f"{answer}_" if alone else ""
    if answer == features.AGE:
        return keras.metrics.MeanMetricWrapper(heads.age_mae, name=f"{prefix}mae")
    return keras.metrics.MeanMetricWrapper(heads.gender_hit, name=f"{prefix}accuracy")


def in_float32(model: keras.Model) -> keras.Model:
    """The same model with the same weights in float32, which any serving machine runs well."""

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Layer):
            config["dtype"] = "float32"
        return layer.__class__.from_config(config)

    plain = keras.models.clone_model(model, clone_function=copy, recursive=True)
    plain.set_weights(model.get_weights())
    _settle(plain)
    return plain


def _settle(model: keras.Model) -> None:
    """Makes Normalization layers, as EfficientNets have, work by the weights they were given."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _settle(layer)
        elif isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
