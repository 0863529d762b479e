"""Templates see the fields of one sample and nothing else, and cannot run away."""

from __future__ import annotations

import time

import pytest

from evalharness import DataError, Passage, UsageError
from evalharness.task.template import Template, template_fault

WHERE = "task.yaml:9:3"


def render(text: str, **fields: object) -> str:
    return Template(text, WHERE).render(fields)


def test_fields_are_rendered_exactly_as_they_are() -> None:
    contexts = [Passage("a", "First <b>"), Passage("b", "Zweite & dritte")]
    text = "{% for c in contexts %}[{{ loop.index }}] {{ c.text }}\n{% endfor %}Question: {{ input }}\n"
    assert render(text, contexts=contexts, input="日本?") == "[1] First <b>\n[2] Zweite & dritte\nQuestion: 日本?\n"


def test_white_space_is_kept() -> None:
    assert render("  {% if true %}\nx\n  {% endif %}\n\n") == "  \nx\n  \n\n"


def test_the_variables_of_a_template_are_known_before_it_runs() -> None:
    text = "{% set n = 3 %}{% for c in contexts %}{{ c.text }}{{ n }}{% endfor %}{{ inputt }}{{ range(2) }}"
    assert Template(text, WHERE).variables == {"contexts", "inputt"}


def test_text_that_comes_from_data_is_never_a_template() -> None:
    assert render("{{ input }}", input="{{ 7 * 7 }} {% raw %}") == "{{ 7 * 7 }} {% raw %}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "{{ input.__class__.__mro__ }}",
            "reaches for '__mro__' in line 1 of the template; names that start with _ are not allowed",
        ),
        (
            "a\n{{ input['__class__'] }}",
            "reaches for '__class__' in line 2 of the template; names that start with _ are not allowed",
        ),
        ("{{ input._private }}", "reaches for '_private' in line 1 of the template; names that start with _ are not allowed"),
        ("{% include 'x' %}", "includes another template in line 1; a template stands alone"),
        ("a\n{% for x in y %}", "is no valid template: Unexpected end of template"),
        ("{{ input|nofilter }}", "is no valid template: No filter named 'nofilter'."),
        ("{{ input|attr('__class__') }}", "is no valid template: No filter named 'attr'."),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "is no valid template: "),
    ],
)
def test_faults_of_a_template_are_found_before_it_runs(text: str, fault: str) -> None:
    assert template_fault(text).startswith(fault)


@pytest.mark.parametrize(
    "text",
    [
        "{% set name = '__cla' ~ 'ss__' %}{{ input[name] }}",
        "{% for key in ['__globals__'] %}{{ input.upper[key] }}{% endfor %}",
        "{{ ('%s' ~ '').format.__self__ }}",
        "{{ [].append(1) }}",
    ],
)
def test_python_internals_stay_out_of_reach_when_it_runs(text: str) -> None:
    with pytest.raises((UsageError, DataError), match=r"task\.yaml:9:3: the template"):
        render(text, input="x")


def test_reaching_for_internals_by_a_detour_names_the_place() -> None:
    with pytest.raises(
        UsageError, match=r"task\.yaml:9:3: the template reaches for what templates may not use: access to attribute"
    ):
        render("{% set name = '__cla' ~ 'ss__' %}{{ input[name] }}", input="x")


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ [0] * 1000000000 }}",
        "{{ 7 ** 7 ** 7 ** 7 }}",
        "{{ '%1000000000d' % 7 }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{% for i in range(50000) %}{{ input }}{% endfor %}",
    ],
)
def test_a_template_that_runs_away_is_stopped(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(
        UsageError, match=r"^task\.yaml:9:3: the template (computes too much|reaches for what templates may not use)"
    ):
        render(text, input="y" * 1000)
    assert time.monotonic() - started < 5


def test_plain_arithmetic_works() -> None:
    assert render("{{ 6 * 7 }} {{ 7 % 4 }} {% for i in range(3) %}{{ i }}{% endfor %}") == "42 3 012"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ inputt }}", "the template does not fit this sample: 'inputt' is undefined. Its fields: input, range."),
        ("{{ references[0] }}", "the template does not fit this sample: 'references' is undefined"),
        ("{{ input[0][9] }}", "the template does not fit this sample: "),
        ("{{ input + 1 }}", "the template does not fit this sample: TypeError: "),
        ("{{ 1 // 0 }}", "the template does not fit this sample: ZeroDivisionError"),
    ],
)
def test_what_does_not_fit_a_sample_is_said_with_the_place(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        render(text, input="x", range=1)
    assert str(caught.value).startswith(f"{WHERE}: {message}")
