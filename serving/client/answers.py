"""What a model answers about a face, and how many faces it is asked about at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipeline.errors import UserError
from schema import features

# Pictures a request; TF Serving's gRPC takes 4 MiB by default, of which REST's base64 leaves 3.
MAX_BATCH: Final = 32
MAX_BATCH_BYTES: Final = 2 * 2**20


class Answer(NamedTuple):
    """About one face: years, the ends of the 90% interval, and the words of the contract."""

    age: float
    age_low: float
    age_high: float
    female_probability: float
    gender: str
    age_group: str


class RefusedError(Exception):
    """The model was reached and would not answer; asking the same again is no use."""


# Encoded pictures, at most a batch, to as many answers; raises RefusedError, or UserError where the
# model cannot be reached. Safe to call from several threads.
Ask = Callable[[Sequence[bytes]], list[Answer]]


def ask_all(ask: Ask, pictures: Sequence[bytes]) -> list[Answer | RefusedError]:
    """An answer or a refusal for each picture, in batches.

    One picture that a model refuses spoils its whole batch: each of those is then asked alone.

    Raises:
      UserError: the model cannot be reached.
    """
    answers: list[Answer | RefusedError] = []
    for batch in _batches(pictures):
        try:
            answers += ask(batch)
        except RefusedError as refused:
            answers += [_alone(ask, one) for one in batch] if len(batch) > 1 else [refused]
    return answers


def from_columns(columns: Mapping[str, Sequence[Any]], count: int) -> list[Answer]:
    """The answers in a model's outputs, by name, of `count` values each.

    Raises:
      UserError: an output is missing or of another length: this is another kind of model.
    """
    for name in features.OUTPUTS:
        if name not in columns:
            raise UserError(f"the model does not answer {name}: is it agegender's? see --url")
        if len(columns[name]) != count:
            raise UserError(f"the model answers {len(columns[name])} {name} for {count} pictures")
    return [
        Answer(float(age), float(low), float(high), float(female), _text(gender), _text(group))
        for age, low, high, female, gender, group in zip(
            *(columns[name] for name in features.OUTPUTS), strict=True
        )
    ]


def _alone(ask: Ask, picture: bytes) -> Answer | RefusedError:
    try:
        return ask([picture])[0]
    except RefusedError as refused:
        return refused


def _batches(pictures: Sequence[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for picture in pictures:
        size = sum(map(len, batch)) + len(picture)
        if batch and (len(batch) == MAX_BATCH or size > MAX_BATCH_BYTES):
            yield batch
            batch = []
        batch.append(picture)
    if batch:
        yield batch


def _text(word: Any) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)
