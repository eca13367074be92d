"""Identifiers in the format of W3C Trace Context."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.runs import parse_traceparent
from sideband.runs._ids import new_run_id, new_trace_id


def test_ids_are_lower_case_hex_of_the_right_length_and_unique() -> None:
    """16 digits for runs, 32 for traces."""
    runs = {new_run_id() for _ in range(1000)}
    traces = {new_trace_id() for _ in range(1000)}

    assert len(runs) == len(traces) == 1000
    assert all(re.fullmatch("[0-9a-f]{16}", run) for run in runs)
    assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in traces)


def test_ids_do_not_change_what_a_seeded_program_draws() -> None:
    """Watching leaves Python's shared generator of random numbers alone."""
    random.seed(7)
    expected = random.random()
    random.seed(7)
    new_run_id()

    assert random.random() == expected


hex_digits = st.sampled_from("0123456789abcdef")


@given(
    st.text(hex_digits, min_size=32, max_size=32).filter(lambda text: int(text, 16)),
    st.text(hex_digits, min_size=16, max_size=16).filter(lambda text: int(text, 16)),
    st.sampled_from(["", " ", "\t"]),
)
def test_a_well_formed_header_gives_its_ids(trace: str, parent: str, space: str) -> None:
    """Spaces around it do not matter; a later version may have more fields."""
    assert parse_traceparent(f"{space}00-{trace}-{parent}-01{space}") == (trace, parent)
    assert parse_traceparent(f"01-{trace}-{parent}-00-more") == (trace, parent)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n00-x",
    ],
)
def test_a_malformed_header_is_refused_with_its_text(header: str) -> None:
    """The message shows what was given and what is expected."""
    with pytest.raises(ValueError, match="is not of the form 00-") as caught:
        parse_traceparent(header)

    assert repr(header) in str(caught.value)
