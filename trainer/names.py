"""What there is to train, by name; free of TensorFlow, so that settings load fast."""

from typing import Literal, get_args

TransferModel = Literal[
    "transfer_mobilenet_v2",
    "transfer_efficientnet_b0",
    "transfer_efficientnet_b1",
    "transfer_efficientnet_b2",
    "transfer_vgg16",
    "transfer_resnet50",
    "transfer_vggface",
]
TrainedModel = Literal["gender_cnn", "age_cnn", "multitask_cnn", TransferModel]
TRANSFER = "transfer"
TRAINED_MODELS: tuple[TrainedModel, ...] = get_args(TrainedModel)


def family(model: str) -> str:
    """The family a trained model is of."""
    return TRANSFER if backbone(model) else model


def backbone(model: str) -> str:
    """The backbone a trained model stands on; "" where it has none."""
    head, _, tail = model.partition("_")
    return tail if head == TRANSFER else ""
