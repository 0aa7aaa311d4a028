"""A file may have any name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.face_example_gen import logic
from components.face_example_gen.logic import Face
from components.face_example_gen.rejects import Reason

from ..conftest import drawing, encoded
from .drill import EFFORT, trying
from .names import NAMES

# Ours, of making duplicate members, and Pillow's, of damage.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("effort", EFFORT)
def test_any_name(effort: int) -> None:
    picture = encoded(drawing(0))

    @trying(100 * effort)
    @given(st.one_of(NAMES, st.text(st.characters(), max_size=60)))
    def check(name: str) -> None:
        found = logic.examine(name, picture)
        assert found.file == name
        assert isinstance(found, Face) or found.reason in (
            Reason.BAD_NAME,
            Reason.LABEL_OUT_OF_RANGE,
        )

    check()
