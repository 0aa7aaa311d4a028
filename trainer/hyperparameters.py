"""What a training is told: typed, validated, and free of TensorFlow so that settings load fast."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]


class Strict(BaseModel):
    """A frozen model that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Augmentation(Strict):
    """How far training pictures are changed; 0 switches a change off."""

    flip: bool = Field(True, description="mirror half of the pictures")
    rotation: float = Field(12.0, ge=0, le=180, description="largest turn either way, degrees")
    zoom: Fraction = Field(0.12, description="largest change of scale either way")
    shift: Fraction = Field(0.06, description="largest move either way, share of the side")
    brightness: Fraction = Field(0.15, description="largest change either way, share of the range")
    contrast: Fraction = Field(0.2, description="largest change either way")
    saturation: Fraction = Field(0.2, description="largest change either way")
    erase: Fraction = Field(
        0.0, description="largest side of a rectangle that half of the pictures lose, share of it"
    )


class Architecture(Strict):
    """The shape of a convolutional family's model."""

    widths: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        (32, 64, 128, 192), min_length=1, description="channels of each stage"
    )
    depth: int = Field(1, gt=0, description="residual blocks per stage")
    kernel_size: int = Field(3, gt=0, description="side of the kernels, pixels")
    dropout: Fraction = Field(0.3, description="share of the trunk's features dropped")
    age_head: Literal["distribution", "regression"] = Field(
        "distribution", description="softmax over 0..116 read as its median, or sigmoid age/116"
    )


class Transfer(Strict):
    """How a backbone that was trained elsewhere is trained further."""

    weights: str = Field(
        "imagenet",
        min_length=1,
        description="imagenet, the path of a .weights.h5 or .h5 file, or none: then everything is "
        "trained from scratch in one phase",
    )
    frozen_epochs: int = Field(30, ge=0, description="of the heads alone, on cached features")
    unfrozen: float = Field(
        0.5, ge=0, le=1, description="share of the backbone's layers, from the top, trained after"
    )
    learning_rate: float = Field(3e-4, gt=0, description="peak once layers are unfrozen")
    batch_norm: Literal["frozen", "trained"] = Field(
        "frozen", description="whether batch-norm of unfrozen layers learns"
    )

    @model_validator(mode="after")
    def _something_is_trained(self) -> "Transfer":
        if not self.frozen_epochs and not self.unfrozen:
            raise ValueError("nothing would be trained: raise frozen_epochs or unfrozen above 0")
        return self


class Hyperparameters(Strict):
    """Everything a training depends on but its data."""

    architecture: Architecture = Architecture()
    augmentation: Augmentation = Augmentation()
    transfer: Transfer = Transfer()
    input_size: int | None = Field(
        None, ge=16, le=512, description="side the model sees, pixels; store_size if none"
    )
    epochs: int = Field(40, gt=0)
    patience: int = Field(10, gt=0, description="epochs without a better val score before stopping")
    batch_size: int = Field(64, gt=0)
    learning_rate: float = Field(2e-3, gt=0, description="peak, after warm-up")
    warmup: Fraction = Field(0.05, description="share of the steps spent warming up")
    weight_decay: float = Field(0.02, ge=0)
    ema: Fraction = Field(
        0.0, description="per step, of the average of weights kept as the model; 0 for none"
    )
    clip_norm: float = Field(1.0, gt=0, description="largest global norm of a gradient")
    age_sigma: float = Field(2.0, gt=0, description="spread of the age label, years")
    age_l1: float = Field(0.2, ge=0, description="weight of the age error, per year")
    gender_weight: float = Field(1.0, ge=0, description="of the gender loss beside the age loss")
    age_weights: Literal["none", "inverse", "sqrt_inverse"] = Field(
        "none", description="of a face in the age loss, by how often its age occurs in train"
    )
    teachers: int = Field(
        0, ge=0, description="models of other seeds that are trained first, for soft labels"
    )
    teacher_share: float = Field(
        0.5, gt=0, le=1, description="of a soft label, that is the teachers' mean answer"
    )
    mirror: bool = Field(
        False,
        description="answer with the mean over a picture and its mirror image, at twice the cost",
    )
    precision: Precision = Field("auto", description="auto: what the device at hand does fastest")
    cache: Literal["memory", "disk"] = Field("memory", description="where parsed pictures wait")
    seed: int = 0
