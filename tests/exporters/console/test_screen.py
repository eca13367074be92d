from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.exporters.console.terminal import Terminal

from sideband.exporters.console._screen import Screen


class Out:
    def __init__(self, columns: int = 40) -> None:
        self.terminal = Terminal(columns)
        self.written: list[str] = []

    def raw(self, text: str) -> None:
        self.written.append(text)
        self.terminal.feed(text)


class Other(Out):
    """Something else that ends at the same terminal."""

    def __init__(self, out: Out) -> None:
        super().__init__()
        self.terminal = out.terminal


def screen(out: Out, redraw_seconds: float = 0.0, now: float = 0.0) -> Screen:
    return Screen(out, lambda: out.terminal.columns, lambda: now, redraw_seconds)


def lines(*texts: str) -> list[tuple[str, int]]:
    return [(text, len(text)) for text in texts]


def test_what_is_printed_while_nothing_is_drawn_goes_through_as_it_is() -> None:
    """Not a byte is changed, whatever it is."""
    written: list[str] = []

    class Raw:
        def raw(self, text: str) -> None:
            written.append(text)

    shown = Screen(Raw(), lambda: 40, lambda: 0.0)
    source = Raw()

    shown.write(source, "\x1b[2J\x1b[Hmenu\r\n\x07")

    assert written == ["\x1b[2J\x1b[Hmenu\r\n\x07"]


def test_a_drawing_stays_below_what_is_printed() -> None:
    """Whole lines go above it; the next drawing is in its place."""
    out = Out()
    shown = screen(out)
    shown.draw(lines("tree", "summary"))
    shown.write(out, "one\ntwo\n")
    shown.draw(lines("tree 2", "more", "summary"), above=["done"])

    assert out.terminal.lines == ["one", "two", "done", "tree 2", "more", "summary"]
    assert not out.terminal.cursor


def test_when_it_stops_the_drawing_is_gone_and_the_cursor_is_back() -> None:
    """What was printed, and what was to stay, is left alone."""
    out = Out()
    shown = screen(out)
    shown.draw(lines("tree", "summary"), above=["done"])
    shown.write(out, "one\n")
    shown.stop()
    shown.write(out, "two\n")

    assert out.terminal.lines == ["done", "one", "two"]
    assert out.terminal.cursor


def test_a_line_that_is_not_finished_stands_above_the_drawing() -> None:
    """It was begun before, goes on while something is drawn, and ends afterwards: it stays one line."""
    out = Out()
    shown = screen(out)
    shown.write(out, "loading")
    shown.draw(lines("tree"))
    assert out.terminal.lines == ["loading", "tree"]
    shown.write(out, " ... ")
    shown.draw(lines("tree 2"))
    assert out.terminal.lines == ["loading ...", "tree 2"]
    shown.stop()
    shown.write(out, "done\n")

    assert out.terminal.lines == ["loading ... done"]


def test_a_long_unfinished_line_is_left_where_it_is() -> None:
    """What could not be taken back from the terminal is ended there."""
    out = Out(columns=20)
    shown = screen(out)
    shown.write(out, "a line of more than twenty columns")
    shown.draw(lines("tree"))

    assert out.terminal.lines == ["a line of more than", "twenty columns", "tree"]


def test_a_bar_that_is_drawn_over_with_carriage_returns_stays_one_line() -> None:
    """Only what is behind the last return is shown."""
    out = Out()
    shown = screen(out)
    shown.draw(lines("tree"))
    for part in ("10%", "50%", "100%"):
        shown.write(out, f"\rread {part}")
    assert out.terminal.lines == ["read 100%", "tree"]
    shown.write(out, "\n")

    assert out.terminal.lines == ["read 100%", "tree"]


def test_of_what_is_printed_above_a_drawing_only_colours_are_kept() -> None:
    """Moves of the cursor, titles, modes and bells would break the drawing, so the terminal never gets them."""
    out = Out()
    shown = screen(out)
    shown.draw(lines("tree"))
    shown.write(out, "\x1b[31mred\x1b[0m \x1b[2J\x1b[5;5H\x1b]0;title\x07\x1b[?1049h\x07\x1bcok \x9b2Jyes\n")

    assert out.terminal.lines == ["red ok 2Jyes", "tree"]
    assert "\x1b[31m" in out.terminal.colours


def test_who_floods_the_terminal_does_not_have_the_drawing_repeated() -> None:
    """Of many lines in one moment only the first is followed by it; the next frame brings it back."""
    out = Out()
    shown = screen(out, redraw_seconds=0.05, now=1.0)
    shown.draw(lines("a tree that is drawn"))
    for number in range(100):
        shown.write(out, f"{number}\n")
    assert "".join(out.written).count("a tree that is drawn") == 1
    shown.draw(lines("a tree that is drawn"))

    assert out.terminal.lines == [*map(str, range(100)), "a tree that is drawn"]


def test_two_files_have_their_unfinished_lines_apart() -> None:
    """Standard output and standard error do not mix within a line."""
    out = Out()
    shown = screen(out)
    other = Other(out)
    shown.draw(lines("tree"))
    shown.write(out, "out")
    shown.write(other, "err")
    shown.write(out, "put\n")
    shown.write(other, "or\n")

    assert out.terminal.lines == ["output", "error", "tree"]


WORDS = st.text(st.sampled_from("abé漢 \n"), max_size=12)
STEPS = st.lists(
    st.tuples(st.just("write"), WORDS) | st.tuples(st.just("draw"), st.lists(WORDS.map(lambda text: text.replace("\n", "")), max_size=4))
    | st.tuples(st.just("stop"), st.none()),
    max_size=20,
)  # fmt: skip


@given(STEPS, st.sampled_from([0.0, 1.0]))
def test_after_the_end_there_is_what_the_program_printed_and_nothing_else(
    steps: list[tuple[str, Any]], redraw: float
) -> None:
    """Whatever was drawn in between, and whenever: only a line that was not finished may be broken in two."""
    out = Out(columns=200)
    shown = screen(out, redraw)
    printed = ""
    for step, given_ in steps:
        if step == "write":
            printed += given_
            shown.write(out, given_)
        elif step == "draw":
            shown.draw(lines(*given_))
        else:
            shown.stop()
    shown.stop()
    alone = Terminal(200)
    alone.feed(printed)

    assert out.terminal.lines == alone.lines
    assert out.terminal.cursor
