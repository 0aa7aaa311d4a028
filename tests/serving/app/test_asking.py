import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import UserError
from serving import faces
from serving.app import asking, showing
from serving.app.asking import CannotAnswerError, Models
from serving.client.answers import Answer, RefusedError

FIND = faces.haar()


def test_every_face_is_boxed_and_asked_of_every_model(models: Models, drawn: list[Path]) -> None:
    reply = asking.answer(drawn[0], models, False, FIND)
    assert len(reply.found) > 3
    for found in reply.found:
        assert found.box
        assert 0 <= found.box.left < found.box.left + found.box.width <= 100
        first, second = found.answers["first"], found.answers["second"]
        assert isinstance(first, Answer)
        assert isinstance(second, Answer)
        assert second.age == pytest.approx(first.age + 10, abs=1e-3)
    shown = showing.answers(reply)
    assert shown.count('class="box"') == len(reply.found)
    assert shown.count("<h4>second</h4>") == len(reply.found)


def test_what_cannot_be_answered_gets_a_sentence(bad: dict[Path, str], models: Models) -> None:
    for path, words in bad.items():
        with pytest.raises(CannotAnswerError, match=words):
            asking.answer(path, models, False, FIND)
    with pytest.raises(CannotAnswerError, match="no longer kept"):
        asking.answer(Path("gone.jpg"), models, False, FIND)


def test_a_model_that_is_away_or_refuses_is_said_to(drawn: list[Path]) -> None:
    def away(_: Sequence[bytes]) -> list[Answer]:
        raise UserError("grpc://127.0.0.1:1: does not answer; is a server there?")

    def refusing(_: Sequence[bytes]) -> list[Answer]:
        raise RefusedError("too <small>")

    with pytest.raises(CannotAnswerError, match=r"There is no answer: grpc.*there\?$"):
        asking.answer(drawn[1], {"away": away}, True, FIND)
    shown = showing.answers(asking.answer(drawn[1], {"refusing": refusing}, True, FIND))
    assert "refuses the picture: too &lt;small&gt;" in shown


def test_the_bar_shows_the_interval_on_0_to_116(drawn: list[Path]) -> None:
    def certain(pictures: Sequence[bytes]) -> list[Answer]:
        return [Answer(58.0, 29.0, 87.0, 0.2, "male", "50-59") for _ in pictures]

    reply = asking.answer(drawn[1], {"certain": certain}, True, FIND)
    assert [found.box for found in reply.found] == [None]
    shown = showing.answers(reply)
    assert re.search(r'class="range" style="left:25.0%;width:50.0%"', shown)
    assert 'class="at" style="left:50.0%"' in shown
    assert ">80%<" in shown  # that he is male
    assert "90% between 29 and 87" in shown


def test_a_model_is_loaded_once_and_when_it_is_first_asked() -> None:
    loads = []

    def load() -> asking.Ask:
        loads.append(1)
        return lambda pictures: [Answer(1, 0, 2, 1, "female", "0-4")] * len(pictures)

    ask = asking.lazily(load)
    assert not loads
    assert len(ask([b"", b""]) + ask([b""])) == 3
    assert len(loads) == 1
