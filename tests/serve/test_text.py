"""Text from tokens as they come: it adds up, characters stay whole, stop strings never show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olmeda.serve.served import Served
from olmeda.serve.text import TextStream


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40))
def test_pieces_add_up_to_the_text(served: Served, text: str) -> None:
    ids = served.tokenizer.encode(text)
    stream = TextStream(served.tokenizer)
    pieces = [stream.take(i) for i in ids]
    assert "".join(pieces) + stream.finish() == text
    assert all("\ufffd" not in piece or "\ufffd" in text for piece in pieces)


@settings(max_examples=60, deadline=None)
@given(text=st.text("abc", max_size=30), stops=st.lists(st.text("abc", min_size=1, max_size=4)))
def test_text_ends_before_the_first_stop_string(
    served: Served, text: str, stops: list[str]
) -> None:
    stream = TextStream(served.tokenizer, stops)
    shown = "".join(stream.take(i) for i in served.tokenizer.encode(text)) + stream.finish()
    places = [place for place in map(text.find, stops) if place >= 0]
    assert stream.stopped == bool(places)
    # tokens hold several letters: of stop strings that end in one token the leftmost counts
    assert text.startswith(shown)
    assert not any(stop in shown for stop in stops)
    if not places:
        assert shown == text


def test_bytes_that_are_no_character_are_told_in_the_end(served: Served) -> None:
    ids = served.tokenizer.encode("😀")
    stream = TextStream(served.tokenizer)
    assert [stream.take(i) for i in ids[:-1]] == [""] * (len(ids) - 1)
    assert stream.finish() == "\ufffd"


@pytest.mark.parametrize("stop", ["b", "ab", "abab"])
def test_possible_beginning_of_a_stop_string_waits(served: Served, stop: str) -> None:
    letters = {c: served.tokenizer.encode(c)[0] for c in "abx"}
    stream = TextStream(served.tokenizer, [stop])
    assert stream.take(letters["x"]) == "x"
    held = stream.take(letters["a"])
    assert held == ("a" if stop == "b" else "")
    assert stream.take(letters["x"]) == ("x" if stop == "b" else "ax")
