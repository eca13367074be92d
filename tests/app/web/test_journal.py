from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.app.web.journal import Journal

lengths = st.integers(0, 40)


@given(capacity=st.integers(1, 20), length=lengths, seen=lengths)
def test_who_comes_back_gets_each_later_entry_once_or_is_told_that_some_are_gone(
    capacity: int, length: int, seen: int
) -> None:
    """What is given is what came after, whole and in order; otherwise an entry is gone, or never was."""
    journal = Journal(capacity)
    for number in range(1, length + 1):
        journal.add("count", {"number": number})

    found = journal.after(seen)

    if found is None:
        assert seen > length or seen < length - capacity
    else:
        assert [entry.number for entry in found] == list(range(seen + 1, length + 1))
        assert [entry.data["number"] for entry in found] == list(range(seen + 1, length + 1))


def test_a_number_below_zero_was_never_seen() -> None:
    """A place that is not known gives no entries, so that the totals are told."""
    assert Journal(3).after(-1) is None


def test_a_journal_without_room_is_refused() -> None:
    """A capacity of nothing could never be gone on from."""
    with pytest.raises(ValueError, match="capacity must be 1 or more, got 0"):
        Journal(0)
