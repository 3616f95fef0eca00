from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.measure.verdict import interrupted
from harness.report import markdown
from harness.report import result as results
from harness.report.store import Stored
from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

    from tests.unit.conftest import Synthetic

COLUMNS = 9
HOSTILE = (
    "a | b\n| c | d |\n# x **y** [z](http://evil) <b>w</b> `v` @user #1 www.x.org ![i](u) "
    "https://x.y a@b.c \\| &amp; ~~s~~ :tada: _e_"
)
PARSER = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def stored(synthetic: Synthetic, **changes: Any) -> Stored:
    result: Any = synthetic.result()[0]
    result.update(changes)
    return Stored(Path("x"), result, {}, None)


def tokens(text: str) -> list[Token]:
    return PARSER.parse(text)


def inline(found: Sequence[Token]) -> Iterator[Token]:
    for token in found:
        yield from token.children or ()


def cells(text: str) -> list[list[str]]:
    """Return the text of the cells of all rows."""
    rows: list[list[str]] = []
    for token in tokens(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.map is not None and token.level >= 4:
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


def test_a_table_of_runs(synthetic: Synthetic) -> None:
    text = markdown.summary([stored(synthetic), stored(synthetic)])
    assert text.startswith("**2 runs: 2 pass**\n")
    rows = cells(text)
    assert rows[0] == [
        "verdict", "benchmark", "target", "rate", "dropped", "p50", "p99", "max", "why"
    ]  # fmt: skip
    assert (
        rows[1]
        == rows[2]
        == [
            "pass",
            "made_up",
            "virtual (zcu104)",
            "20.0036 MHz",
            "0 of 5,000",
            *["130 ns (26 cycles)"] * 3,
            "",
        ]
    )
    assert "Time base: simulated fabric: cycles counted" in "".join(
        child.content for child in inline(tokens(text))
    )


def test_time_bases_have_tables_of_their_own(synthetic: Synthetic) -> None:
    runs = [stored(synthetic, time_base=base) for base in ("fabric", "simulated fabric", "fabric")]
    found = [token.type for token in tokens(markdown.summary(runs))]
    assert found.count("table_open") == 2
    assert found.count("tr_open") == 2 + 3


def test_a_failure_says_why_in_one_line(synthetic: Synthetic) -> None:
    evidence = synthetic.count(
        synthetic.evidence("require.bit_exact=true", "require.drops=0"), mismatches=3, crc=1
    )
    result = results.build(synthetic.record(evidence))
    result["reasons"] = [*result["reasons"], *result["reasons"]]
    text = markdown.summary([Stored(Path("x"), result, {}, None)])
    assert cells(text)[1][-1].startswith(
        "outputs are not those of the golden model: 3 of 5000 beats differ"
    )
    assert cells(text)[1][-1].endswith("(and 1 more)")


def test_a_run_that_was_not_read_is_a_row(synthetic: Synthetic) -> None:
    evidence = synthetic.evidence(samples=None, deadline_cycles=None)
    result = results.build(synthetic.record(evidence, verdict=interrupted("SIGINT")))
    text = markdown.summary([Stored(Path("x"), result, {}, None)], {Path("bad|b"): HOSTILE})
    row = cells(text)[1]
    assert row[0] == "interrupted"
    assert row[4:8] == ["- of -", "-", "-", "-"]
    assert row[8] == "the run did not finish: SIGINT"
    assert "not shown: " in text


def test_no_string_of_a_result_becomes_markup(synthetic: Synthetic) -> None:
    reasons = [dict.fromkeys(("effect", "what", "evidence", "recommendation"), HOSTILE)]
    run = stored(
        synthetic,
        target=HOSTILE,
        time_base=HOSTILE,
        verdict=HOSTILE,
        benchmark={"name": HOSTILE, "digest": HOSTILE},
        overlay={"name": HOSTILE, "digest": HOSTILE},
        reasons=reasons,
    )
    text = markdown.summary([run, run])
    assert [len(row) for row in cells(text)] == [COLUMNS] * 3
    kinds = {token.type for token in inline(tokens(text))}
    assert kinds <= {"text", "text_special", "strong_open", "strong_close"}
    for mark in ("@user", " #1 ", "www.x", "http:", "https:", "a@b", "<b>"):
        assert mark not in text
    rendered = PARSER.render(text)
    # Not even in what is rendered, where sites look for mentions and numbers of issues.
    for mark in ("@user", "#1", "<b>", "<a", "<img", "<code", "<s>", "<em"):
        assert mark not in rendered


@given(st.text(max_size=60))
def test_text_is_shown_as_it_is(value: str) -> None:
    wanted = clean(value)
    text = f"| a |\n| - |\n| x{markdown.escape(value)}x |\n"
    rows = cells(text)
    assert len(rows) == 2
    assert rows[1] == [f"x{wanted}x"] or rows[1][0].replace("\u200b", "") == f"x{wanted}x"
    assert {token.type for token in inline(tokens(text))} <= {"text", "text_special"}


@pytest.mark.parametrize("value", ["- a", "+ a", "1. a", "# a", "> a", "=", "---", "    a"])
def test_text_begins_no_block(value: str) -> None:
    found = [token.type for token in tokens(markdown.escape(value).lstrip())]
    assert found == ["paragraph_open", "inline", "paragraph_close"]


def test_long_text_is_cut() -> None:
    assert len(markdown.escape("x" * 10_000)) == 200 + 3 * (len("&#46;") - 1)
