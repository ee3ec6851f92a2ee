"""Formatters of prose: sentences, headings, and answers that a rule makes certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.corpora import note
from olmeda.artifacts.corpus import Document
from olmeda.instruct.formatters.text_heading import text_heading
from olmeda.instruct.formatters.text_keyword import keyword_of
from olmeda.instruct.formatters.text_opening import text_opening
from olmeda.instruct.formatters.text_order import text_order
from olmeda.instruct.formatters.text_terms import terms_of, text_terms
from olmeda.instruct.prose import paragraphs, sections, sentences

PROSE = "The small boat left the harbour early and nobody spoke."


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One here. Two there.", ["One here.", "Two there."]),
        ("See e.g. Rome. Then go.", ["See e.g. Rome.", "Then go."]),
        ('He said "Go." Then he left.', ['He said "Go."', "Then he left."]),
        ("It costs 3.50 euros. 40 went.", ["It costs 3.50 euros.", "40 went."]),
        ("By J. Smith of Rome.", ["By J. Smith of Rome."]),
        ("no capital. after it", ["no capital. after it"]),
        ("", []),
    ],
)
def test_sentences(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@given(st.text(max_size=300))
def test_no_text_is_lost_between_sentences(text: str) -> None:
    joined = " ".join(sentences(text))
    assert "".join(joined.split()) == "".join(text.split())


@given(st.text(max_size=400))
def test_any_text_goes_through_every_formatter(text: str) -> None:
    document = Document("d", text)
    for formatter in (text_heading, text_opening, text_order, text_terms):
        list(formatter(document))


def test_lists_code_and_tables_are_no_paragraphs() -> None:
    blocks = [f"- {PROSE}", f"    {PROSE}", "| a | b |", "x = {1: 2}", PROSE]
    assert paragraphs("\n\n".join(blocks)) == [PROSE]


@pytest.mark.parametrize(
    "text",
    [
        f"# A heading\n\n{PROSE}\n",
        f"## A heading ##\n{PROSE}\n",
        f"A heading\n=========\n\n{PROSE}\n",
        f"{PROSE}\n\nA heading\n\n{PROSE}\n",
    ],
)
def test_headings_of_every_kind_are_found(text: str) -> None:
    (section,) = sections(text)
    assert section.heading == "A heading"
    assert section.body == [PROSE]


def test_terms_are_words_with_capitals_or_digits_that_open_no_sentence() -> None:
    run = ["In Rome I saw 3.5 ships of the NATO.", "Then Rome and Port-9 I'm told."]
    assert terms_of(run) == ["Rome", "3.5", "NATO", "Port-9"]


def test_keyword_must_lead_alone() -> None:
    assert keyword_of("The harbour was big and the Harbour was full") == "harbour"
    assert keyword_of("boats boats ships ships") is None
    assert keyword_of("nothing twice here") is None


def test_order_answers_are_true_and_both_occur() -> None:
    answers = []
    for number in range(12):
        document = note(number)
        for item in text_order(document):
            first, second = item.fields["first"], item.fields["second"]
            stands = document.text.index(first) < document.text.index(second)
            assert item.fields["answer"] == ("yes" if stands else "no")
            answers.append(item.fields["answer"])
    assert {"yes", "no"} == set(answers)


def test_opening_and_reference_are_neighbours_and_not_in_the_question() -> None:
    items = list(text_opening(note(4)))
    assert len(items) == 3
    for item in items:
        text = f"{item.fields['opening']} {item.about['reference']} {item.fields['passage']}"
        assert text in note(4).text
