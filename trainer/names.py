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
# Trained like the model of the same kind, but on what the ensemble answers beside the labels.
StudentModel = Literal[
    "student_multitask_cnn",
    "student_mobilenet_v2",
    "student_efficientnet_b0",
    "student_efficientnet_b1",
    "student_efficientnet_b2",
    "student_vgg16",
    "student_resnet50",
    "student_vggface",
]
TrainedModel = Literal["gender_cnn", "age_cnn", "multitask_cnn", TransferModel, StudentModel]
TRANSFER = "transfer"
_STUDENT = "student_"
TRAINED_MODELS: tuple[TrainedModel, ...] = get_args(TrainedModel)
_OF_LABELS = tuple(name for name in TRAINED_MODELS if not name.startswith(_STUDENT))


def is_student(model: str) -> bool:
    """Whether a trained model learns from the ensemble."""
    return model.startswith(_STUDENT)


def kind(model: str) -> str:
    """The trained model that is built and told alike: of a student, the one without a teacher."""
    if not is_student(model):
        return model
    what = model.removeprefix(_STUDENT)
    return what if what in _OF_LABELS else f"{TRANSFER}_{what}"


def family(model: str) -> str:
    """The family a trained model is of."""
    return TRANSFER if backbone(model) else kind(model)


def backbone(model: str) -> str:
    """The backbone a trained model stands on; "" where it has none."""
    head, _, tail = kind(model).partition("_")
    return tail if head == TRANSFER else ""
