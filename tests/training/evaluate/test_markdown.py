"""Tables, and the sections of a card."""

from __future__ import annotations

from omninet.training.evaluate.markdown import rows, with_section


def test_a_table() -> None:
    assert rows("a | b", [("1", "2"), ("x|y\nz", "")]) == "| a | b |\n|---|---|\n| 1 | 2 |\n| x y z |  |\n"
    assert rows("a | b", []) == ""


def test_a_new_section_goes_to_the_end() -> None:
    assert with_section("# Card\n\n## Limits\n\nmany\n", "## New", "text\n") == (
        "# Card\n\n## Limits\n\nmany\n\n## New\n\ntext\n"
    )


def test_a_section_replaces_the_one_of_its_heading() -> None:
    card = "# Card\n\n### New\n\nno\n\n## New\n\nold\n\n### part\n\nold\n\n## Newer\n\nkept\n"

    found = with_section(card, "## New", "text \\1\n")

    assert found == "# Card\n\n### New\n\nno\n\n## New\n\ntext \\1\n\n## Newer\n\nkept\n"
    assert with_section(found, "## New", "text \\1\n") == found
