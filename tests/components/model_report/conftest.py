import numpy as np
import pytest

from components.model_report.answers import Answers
from schema import features


@pytest.fixture
def found() -> Answers:
    """40 faces from 1 to 79 years, women and men in turn; every seventh taken for the other."""
    ages = np.arange(1, 81, 2)
    female = np.arange(40) % 2
    wrong = np.arange(40) % 7 == 0
    answered = (ages + np.linspace(-4, 9, 40)).astype(np.float32)
    sure = np.where(female == 1, 0.9, 0.1) + np.linspace(-0.05, 0.05, 40)
    return Answers(
        {
            features.FILENAME: np.array([b"%d.jpg" % index for index in range(40)]),
            features.AGE: ages,
            features.GENDER: female,
            features.RACE: np.arange(40) % 5,
        },
        {
            features.OUT_AGE: answered,
            features.OUT_AGE_LOW: answered - 6,
            features.OUT_AGE_HIGH: answered + 6,
            features.OUT_FEMALE_PROBABILITY: np.where(wrong, 1 - sure, sure).astype(np.float32),
        },
    )
