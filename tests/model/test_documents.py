"""Tests of what a checkpoint says about itself."""

from __future__ import annotations

import pytest

from omninet.model.documents import LONGEST_SUMMARY, Documents


@pytest.mark.parametrize(
    ("card", "summary"),
    [
        ("# Toy 1\n\nIt knows\ntwo things.\n\nMore.\n", "It knows two things."),
        ("It knows two things.", "It knows two things."),
        ("# Toy 1\n\n## Training\n\nFive steps.", "Five steps."),
        ("# Toy 1\n\n| a | table |", ""),
        ("# Toy 1\n", ""),
        ("", ""),
    ],
)
def test_summary_is_the_first_paragraph(card: str, summary: str) -> None:
    assert Documents(card).summary == summary


def test_a_long_summary_is_shortened() -> None:
    summary = Documents("# Toy\n\n" + "word " * 200).summary
    assert len(summary) <= LONGEST_SUMMARY
    assert summary.endswith("word…")


@pytest.mark.parametrize(
    ("licence", "name"),
    [("\n  Research only\n\nText.", "Research only"), ("# MIT\n", "MIT"), ("\n", ""), ("", "")],
)
def test_licence_name_is_its_first_line(licence: str, name: str) -> None:
    assert Documents(licence=licence).licence_name == name
