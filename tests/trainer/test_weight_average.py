import keras
import numpy as np

from trainer.weight_average import WeightAverage

EPOCHS = 3


class Watch(keras.callbacks.Callback):
    """Keeps the weights after every step, and those an epoch is judged by."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[np.ndarray]] = []
        self.judged: list[list[np.ndarray]] = []

    def on_train_begin(self, logs: object = None) -> None:  # noqa: ARG002
        self.start = self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
        self.steps.append(self.model.get_weights())

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
        self.judged.append(self.model.get_weights())


def trained(*callbacks: keras.callbacks.Callback) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()]
    )
    model.compile("sgd", "mse")
    random = np.random.default_rng(0)
    x, y = random.normal(5, 2, (16, 3)), random.normal(size=(16, 4))
    model.fit(
        x, y, batch_size=4, epochs=EPOCHS, validation_data=(x, y), callbacks=[*callbacks],
        shuffle=False, verbose=0,
    )  # fmt: skip
    return model


def test_epochs_are_judged_by_the_average_of_all_weights_and_training_is_left_alone() -> None:
    watch, plain = Watch(), Watch()
    trained(watch, WeightAverage(0.7))
    trained(plain)
    for ours, theirs in zip(watch.steps, plain.steps, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    average, judged = watch.start, []
    for step, weights in enumerate(watch.steps, start=1):
        decay = min(0.7, (1 + step) / (10 + step))
        pairs = zip(average, weights, strict=True)
        average = [decay * mean + (1 - decay) * new for mean, new in pairs]
        if step % 4 == 0:
            judged.append(average)
    for expected, seen in zip(judged, watch.judged, strict=True):
        for one, other in zip(expected, seen, strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def test_what_early_stopping_keeps_is_an_average() -> None:
    watch = Watch()
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=9, restore_best_weights=True)
    model = trained(watch, stopping, WeightAverage(0.7))
    kept = watch.judged[stopping.best_epoch]
    for one, other in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(one, other)
