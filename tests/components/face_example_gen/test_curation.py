import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.face_example_gen.curation import (
    Row,
    Sorted,
    account,
    cap,
    cell_of,
    curate,
    sort_out,
)
from components.face_example_gen.logic import Labels
from components.face_example_gen.policy import DEFAULT_BALANCE, DEFAULT_POLICY, Balance, Policy
from components.face_example_gen.rejects import Reason, Reject

fixed = settings(derandomize=True, deadline=None)

POLICIES = st.builds(
    Policy,
    duplicates=st.sampled_from(["reject", "keep"]),
    label_conflicts=st.sampled_from(["reject", "keep"]),
    max_label_disagreement=st.integers(0, 10),
)
BALANCES = st.builds(
    Balance,
    age_max=st.none() | st.integers(0, 116),
    max_per_age=st.none() | st.integers(1, 4),
    fractions=st.dictionaries(st.sampled_from(["0-4", "5-30", "31-116"]), st.floats(0, 1)),
)


def digest(pixels: object) -> str:
    return hashlib.sha256(str(pixels).encode()).hexdigest()


def row(file: str, pixels: object, age: int = 30, gender: int = 0, race: int = 0) -> Row:
    return Row(file, digest(pixels), Labels(age, gender, race))


# Few pictures and few ages, so that there are copies, contradictions and full ages.
ROWS = st.lists(
    st.builds(row, st.text(max_size=3), st.integers(0, 15), st.integers(0, 40), st.integers(0, 1)),
    max_size=60,
).map(lambda rows: [one._replace(position=i) for i, one in enumerate(rows)])


def many(count: int, age: Callable[[int], int] = lambda _: 30, start: int = 0) -> list[Row]:
    return [row(f"{i}.jpg", i, age(i)) for i in range(start, start + count)]


def reasons(found: Sorted) -> dict[str, Reason]:
    return {one.row.file: one.reject.reason for one in found.left_out}


@fixed
@given(ROWS, POLICIES, BALANCES)
def test_every_face_is_used_or_left_out(rows: list[Row], policy: Policy, balance: Balance) -> None:
    used, left_out = curate(rows, policy, balance)
    unusable = [Reject("x", Reason.TRUNCATED, "cut")]

    assert sorted([*used, *(one.row for one in left_out)]) == sorted(rows)
    for out, reject in left_out:
        assert (reject.file, reject.image_sha256) == (out.file, out.image_sha256)
        assert reject.detail
    ledger, rejects = account(Counter(map(cell_of, rows)), left_out, unusable)
    assert ledger.found == len(rows) + 1
    assert ledger.used == Counter(map(cell_of, used))
    assert ledger.rejected == Counter(reject.reason for reject in rejects)
    assert ledger.found - ledger.used.total() == ledger.unfit + ledger.left_out.total()


@fixed
@given(ROWS, POLICIES, BALANCES, st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(
    rows: list[Row], policy: Policy, balance: Balance, rng: random.Random
) -> None:
    shuffled = rng.sample(rows, len(rows))

    assert curate(shuffled, policy, balance) == curate(rows, policy, balance)


@fixed
@given(ROWS, POLICIES, BALANCES, st.integers(1, 5))
def test_it_can_be_decided_in_parts(
    rows: list[Row], policy: Policy, balance: Balance, count: int
) -> None:
    parts = defaultdict(list)
    for one in rows:
        parts[int(one.image_sha256, 16) % count].append(one)
    sorted_out = [sort_out(part, policy, balance) for part in parts.values()]
    used = [one for part in sorted_out for one in part.used]
    left_out = [one for part in sorted_out for one in part.left_out]
    for age in {one.labels.age for one in used} if balance.max_per_age else ():
        of_age = [one for one in used if one.labels.age == age and one.split == "train"]
        left_out += cap(of_age, balance.max_per_age or 0).left_out

    assert sorted(left_out) == curate(rows, policy, balance).left_out


@fixed
@given(ROWS, BALANCES, st.integers(0, 10))
def test_equal_pixels_are_used_once_and_only_where_their_labels_agree(
    rows: list[Row], balance: Balance, years: int
) -> None:
    used, left_out = curate(rows, Policy(max_label_disagreement=years), balance)
    copies = defaultdict(list)
    for one in rows:
        copies[one.image_sha256].append(one)

    assert len({one.image_sha256 for one in used}) == len(used)
    for one in used:
        same = copies[one.image_sha256]
        assert one == min(same)
        assert {other.labels.gender for other in same} == {one.labels.gender}
        ages = [other.labels.age for other in same]
        assert max(ages) - min(ages) <= years
    for one, reject in left_out:
        assert reject.reason is not Reason.DUPLICATE or one != min(copies[one.image_sha256])


@fixed
@given(ROWS, ROWS, POLICIES)
def test_adding_and_renaming_files_moves_no_face_to_another_split(
    rows: list[Row], more: list[Row], policy: Policy
) -> None:
    before = {one.image_sha256: one.split for one in curate(rows, policy, DEFAULT_BALANCE).used}
    renamed = [one._replace(file=f"new/{one.file}", shard=1) for one in rows]
    after = curate([*renamed, *more], policy, DEFAULT_BALANCE).used

    assert all(before.get(one.image_sha256, one.split) == one.split for one in after)


def test_a_thousand_more_files_move_no_old_face() -> None:
    balance = Balance(fractions={"0-116": 0.5})
    old, new = many(500), many(1000, start=500)
    before, after = curate(old, DEFAULT_POLICY, balance), curate(old + new, DEFAULT_POLICY, balance)

    assert len(before.used) > 250
    assert [one for one in after.used if one in set(old)] == before.used
    assert [one for one in after.left_out if one.row in set(old)] == before.left_out


@pytest.mark.parametrize(
    ("second", "conflict"),
    [
        (row("b", 1, 35), False),
        (row("b", 1, 36), True),
        (row("b", 1, 25), False),
        (row("b", 1, 24), True),
        (row("b", 1, 30, gender=1), True),
        (row("b", 1, 30, race=3), False),
    ],
)
def test_labels_contradict_when_genders_differ_or_ages_by_more_than_five_years(
    second: Row, conflict: bool
) -> None:
    found = curate([second, row("a", 1, 30)], DEFAULT_POLICY, DEFAULT_BALANCE)

    expected = {"a": "label_conflict", "b": "label_conflict"} if conflict else {"b": "duplicate"}
    assert reasons(found) == expected


def test_what_is_kept_of_contradicting_copies() -> None:
    rows = [row("c", 1, 60), row("b", 1, 20), row("a", 2), row("a2", 2)]
    keep_conflicts = Policy(label_conflicts="keep")
    keep_duplicates = Policy(duplicates="keep")
    keep_both = Policy(duplicates="keep", label_conflicts="keep")

    found = curate(rows, keep_conflicts, DEFAULT_BALANCE)
    assert reasons(found) == {"c": Reason.DUPLICATE, "a2": Reason.DUPLICATE}
    found = curate(rows, keep_duplicates, DEFAULT_BALANCE)
    assert reasons(found) == {"b": Reason.LABEL_CONFLICT, "c": Reason.LABEL_CONFLICT}
    assert curate(rows, keep_both, DEFAULT_BALANCE).left_out == []


def test_a_person_can_judge_by_the_details() -> None:
    rows = [row("a", 1, 25), row("b", 1, 31, gender=1), row("c", 2), row("d", 2)]
    rows += [row(f"many{i}", 3, gender=i % 2) for i in range(9)]

    found = curate(rows, DEFAULT_POLICY, DEFAULT_BALANCE).left_out
    details = {one.row.file: one.reject.detail for one in found}

    assert details["a"] == "same pixels as b: genders female and male, ages 25 and 31"
    assert details["b"] == "same pixels as a: genders female and male, ages 25 and 31"
    assert details["d"] == "same pixels as c"
    assert details["many0"] == (
        "same pixels as many1, many2, many3, many4, many5 and 3 more: genders female and male"
    )


def test_files_of_the_same_name_are_told_apart() -> None:
    rows = [row("a", 1)._replace(position=i) for i in (1, 0)]

    found = curate(rows, DEFAULT_POLICY, DEFAULT_BALANCE)

    assert found.used == [rows[1]]
    assert reasons(found) == {"a": Reason.DUPLICATE}


def test_age_max_holds_for_every_split() -> None:
    found = curate(many(400, lambda i: 49 + i % 3), DEFAULT_POLICY, Balance(age_max=50))

    assert {one.labels.age for one in found.used} == {49, 50}
    assert {one.reject.reason for one in found.left_out} == {Reason.ABOVE_AGE_MAX}
    assert {one.row.split for one in found.left_out} == {"train", "val", "calib", "test"}


def test_a_fraction_thins_out_train_alone_and_evenly() -> None:
    rows = many(6000, lambda i: i % 10)
    found = curate(rows, DEFAULT_POLICY, Balance(fractions={"0-4": 0.25, "7-7": 0.0}))

    assert {one.row.split for one in found.left_out} == {"train"}
    assert {one.reject.reason for one in found.left_out} == {Reason.THINNED}
    train = Counter(one.labels.age for one in found.used if one.split == "train")
    all_of_train = Counter(one.labels.age for one in rows if one.split == "train")
    for age in range(5):
        assert train[age] / all_of_train[age] == pytest.approx(0.25, abs=0.07)
    assert train[7] == 0
    assert all(train[age] == all_of_train[age] for age in (5, 6, 8, 9))
    # Thinning by the hash that makes the splits would keep but the lower part of train's.
    positions = [int(one.image_sha256[:4], 16) / 2**16 for one in found.used if one.labels.age < 5]
    assert max(p for p in positions if p < 0.64) > 0.6


def test_a_cap_leaves_each_age_of_train_so_many() -> None:
    rows = many(1000, lambda i: i % 4)
    balance = Balance(max_per_age=100)
    found = curate(rows, DEFAULT_POLICY, balance)

    train = Counter(one.labels.age for one in found.used if one.split == "train")
    assert train == dict.fromkeys(range(4), 100)
    assert {one.reject.reason for one in found.left_out} == {Reason.ABOVE_MAX_PER_AGE}
    assert {one.row.split for one in found.left_out} == {"train"}

    one_more = next(one for one in many(50, start=1000) if one.split == "train")
    again = curate([*rows, one_more], DEFAULT_POLICY, balance)
    assert len(set(found.used) - set(again.used)) <= 1


def test_duplicates_take_no_ones_place() -> None:
    once = [one for one in many(40) if one.split == "train"]
    copies = [one._replace(file=f"z{one.file}") for one in once]

    found = curate(once + copies, DEFAULT_POLICY, Balance(max_per_age=len(once)))

    assert found.used == sorted(once)
