import numpy as np
import pytest

from schema import age_groups, features

AGES = range(features.MAX_AGE + 1)


def likeliest(probabilities, scheme):
    """The names of the likeliest groups, of probabilities of the years, [n, 117]."""
    index = np.argmax(probabilities @ age_groups.membership(scheme), axis=1)
    return [age_groups.GROUPS[scheme][i] for i in index]


@pytest.mark.parametrize("scheme", age_groups.GROUPS)
def test_an_age_that_a_groups_name_says_is_in_that_group(scheme):
    for name in age_groups.GROUPS[scheme]:
        low, _, high = name.rstrip("+").partition("-")
        for age in range(int(low), int(high or features.MAX_AGE) + 1):
            assert age_groups.group_of(age, scheme) == name
            assert age_groups.group_of(age + 0.99, scheme) == name


def test_decades_are_the_groups_of_the_data():
    assert [age_groups.group_of(age, "decades") for age in AGES] == [
        features.age_group(age) for age in AGES
    ]
    assert age_groups.bounds("decades") == features.AGE_GROUP_BOUNDS


def test_ages_in_adiences_gaps_go_to_the_nearest_group_and_to_the_younger_of_two():
    found = {}
    for age in (3, 7, 14, *range(21, 25), *range(33, 38), *range(44, 48), *range(54, 60)):
        found.setdefault(age_groups.group_of(age, "adience"), []).append(age)
    assert found == {
        "0-2": [3],
        "4-6": [7],
        "8-13": [14],
        "15-20": [21, 22],
        "25-32": [23, 24, 33, 34, 35],
        "38-43": [36, 37, 44, 45],
        "48-53": [46, 47, 54, 55, 56],
        "60+": [57, 58, 59],
    }


@pytest.mark.parametrize("scheme", age_groups.GROUPS)
def test_all_of_an_age_makes_its_group_the_likeliest(scheme):
    assert likeliest(np.eye(len(AGES)), scheme) == [
        age_groups.group_of(age, scheme) for age in AGES
    ]


def test_the_likeliest_group_is_not_always_that_of_the_likeliest_or_the_mean_age():
    face = np.zeros((2, len(AGES)))
    face[0, [17, 20, 22, 24]] = 0.4, 0.25, 0.2, 0.15  # likeliest 17, together more from 18 to 29
    face[1, [10, 28, 90]] = 0.45, 0.3, 0.25  # mean 35.4
    assert likeliest(face, "four") == ["18-29", "0-17"]
