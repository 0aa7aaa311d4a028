"""What was answered, as HTML: the picture with numbered boxes, and a card for each face."""

from typing import Final

import jinja2

from schema.features import MAX_AGE
from serving.app.asking import Reply
from serving.client.answers import Answer, RefusedError

_TICKS: Final = (0, 20, 40, 60, 80, 100)

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("serving.app", "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def answers(reply: Reply) -> str:
    """The picture, and a card for each face with a column for each model."""
    return _TEMPLATES.get_template("answers.html.j2").render(
        picture=reply.picture,
        faces=[
            (found.box, [_column(name, answer) for name, answer in found.answers.items()])
            for found in reply.found
        ],
        ticks=[(age, _percent(age)) for age in _TICKS],
    )


def sentence(words: str, *, wrong: bool) -> str:
    """A sentence alone: what to do, or what went `wrong`."""
    return _TEMPLATES.get_template("sentence.html.j2").render(words=words, wrong=wrong)


def _column(model: str, answer: Answer | RefusedError) -> dict[str, object]:
    """What a card says of one model's answer, places on the bar of ages in percent."""
    if isinstance(answer, RefusedError):
        return {"model": model, "refused": str(answer)}
    female = answer.female_probability
    low, high = _percent(answer.age_low), _percent(answer.age_high)
    return {
        "model": model,
        "refused": "",
        "answer": answer,
        "sure": female if answer.gender == "female" else 1 - female,
        "at": _percent(answer.age),
        "from": low,
        "wide": high - low,
    }


def _percent(age: float) -> float:
    return 100 * min(max(age, 0.0), MAX_AGE) / MAX_AGE
