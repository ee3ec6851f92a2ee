"""The template language: SciRIFF's golden cases, and what its users may get wrong."""

from __future__ import annotations

import pytest

from evals.sciriff_cases import far_cases
from olmeda.base.config import validated
from olmeda.base.errors import ConfigError, InputError
from olmeda.instruct.template import Template


def test_golden_templates_render_as_in_sciriff() -> None:
    tried = 0
    for case in far_cases("template_render"):
        if "template" not in case:
            continue  # a template file of the original, which is not here
        tried += 1
        template = Template(**case["template"])
        expected = case["expected"]
        if "raises" in expected:
            with pytest.raises(InputError):
                template.render(case["example"])
        else:
            found = template.render(case["example"])
            assert found.input == expected["value"]["input"]
            assert found.output == expected["value"]["output"]
    assert tried


def test_parts_are_stripped_and_two() -> None:
    assert Template(jinja=" Q: {{ q }}\n|||\n {{ a }} ").render({"q": "hi", "a": "yo"}) == (
        "Q: hi",
        "yo",
    )
    with pytest.raises(InputError, match="exactly 2, it makes 3"):
        Template(jinja="a ||| b ||| c").render({})


def test_separator_in_a_string_field_is_data() -> None:
    rendered = Template(jinja="{{ q }} ||| x").render({"q": "a ||| b"})
    assert rendered.input == "a ||| b"


def test_separator_in_a_list_is_not_protected() -> None:
    with pytest.raises(InputError, match="lists in the data"):
        Template(jinja="{{ q | join(' ') }} ||| x").render({"q": ["a ||| b"]})


def test_answer_choices_are_a_list_made_from_the_fields() -> None:
    template = Template(
        jinja="{{ q }} ||| {{ answer_choices[label] }}", answer_choices="{{ opts | join('|||') }}"
    )
    fields = {"q": "x", "label": 1, "opts": ["a", "b"]}
    assert template.render(fields).output == "b"
    assert template.choices(fields) == ["a", "b"]
    with pytest.raises(InputError, match="may not be called 'answer_choices'"):
        template.render({**fields, "answer_choices": []})


def test_undefined_field_names_task_item_and_fields() -> None:
    with pytest.raises(
        InputError, match="task t, item 3: 'missing' is undefined; the fields are q"
    ):
        Template(jinja="{{ q }} ||| {{ missing }}").render({"q": "x"}, "task t, item 3")


@pytest.mark.parametrize(
    "jinja",
    [
        "{{ q.__class__.__mro__ }} ||| x",
        "{{ q + 1 }} ||| x",
        "{{ q[5].a }} ||| x",
        "{{ q | map(3) | list }} ||| x",
    ],
)
def test_template_that_fails_on_the_fields_is_an_input_error(jinja: str) -> None:
    with pytest.raises(InputError, match="here: "):
        Template(jinja=jinja).render({"q": "text"}, "here")


def test_broken_template_is_found_when_the_file_is_read() -> None:
    with pytest.raises(ConfigError, match="line 2 of the template"):
        validated(Template, {"jinja": "{{ q }}\n{% if %} ||| x"}, "file.yaml")


def test_tojson_sorts_keys_and_escapes_as_jinja_does() -> None:
    rendered = Template(jinja="x ||| {{ d | tojson }}").render({"d": {"b": "<é>", "a": None}})
    assert rendered.output == '{"a": null, "b": "\\u003c\\u00e9\\u003e"}'


def test_zip_is_known() -> None:
    jinja = "{% for a, b in zip(x, y) %}{{ a }}{{ b }} {% endfor %} ||| o"
    assert Template(jinja=jinja).render({"x": [1, 2], "y": "ab"}).input == "1a 2b"
