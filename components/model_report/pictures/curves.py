"""How a training went."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from components.model_report.pictures.style import BLUE, FAINT, RED, percent

History = Mapping[str, Sequence[float]]

# Of the history that every family writes; see trainer.fitting and specialist_pair.logic.
_PANELS = (
    ("age_loss", "age loss"),
    ("gender_loss", "gender loss, nats"),
    ("age_mae", "age MAE, years"),
    ("gender_accuracy", "gender accuracy"),
)


def draw(figure: Figure, history: History, frozen_epochs: int) -> None:
    """Losses and main figures by epoch, on train and val.

    Args:
      figure: to draw on.
      history: curves by name, a value per epoch; those of two models may differ in length.
      frozen_epochs: how many of the epochs trained the heads alone.
    """
    for axes, (name, title) in zip(figure.subplots(1, 4), _PANELS, strict=True):
        for key, label, colour, dashes in (
            (name, "train", BLUE, "--"),
            (f"val_{name}", "val", RED, "-"),
        ):
            values = history.get(key, ())
            epochs = range(1, len(values) + 1)
            # A dot where one epoch makes no line.
            marker = "o" if len(values) == 1 else None
            axes.plot(epochs, values, dashes, color=colour, label=label, marker=marker)
        if frozen_epochs:
            axes.axvline(frozen_epochs + 0.5, color=FAINT, linestyle=":")
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(axis="y")
        if name == "gender_accuracy":
            percent(axes, "y")
        axes.legend(handlelength=2.2)
