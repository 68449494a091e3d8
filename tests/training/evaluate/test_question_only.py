"""The question-only baseline."""

from __future__ import annotations

from omninet.training.data import Example
from omninet.training.evaluate.question_only import answer_questions, terms


def ask(question: str, answer: str = "") -> Example:
    return Example("vqa", {"question": question}, answer=answer)


TRAIN = [
    *[ask("what color is the dog", "brown")] * 3,
    *[ask("what color is the sky", "blue")] * 2,
    *[ask("is there a dog", answer) for answer in ("yes", "no", "yes")],
    *[ask("is there a hat", answer) for answer in ("no", "no", "yes")],
    Example("vqa", answer="never asked"),
]


def labels(*questions: str) -> list[str]:
    return [ranked[0][0] for ranked in answer_questions(TRAIN, list(map(ask, questions)))]


def test_words_and_pairs_with_the_ends() -> None:
    assert terms("Is there a dog?") == {"is", "there", "a", "dog", "< is", "is there", "there a", "a dog", "dog >"}
    assert terms("") == {"< >"}


def test_the_likeliest_answer_to_a_question() -> None:
    questions = ("what color is the dog", "what color is the sky", "is there a dog", "is there a hat")
    assert labels(*questions) == ["brown", "blue", "yes", "no"]


def test_the_spelling_does_not_matter() -> None:
    assert labels("What color is the SKY?") == ["blue"]


def test_a_question_of_unknown_words_has_an_answer() -> None:
    (found,) = answer_questions(TRAIN, [ask("wozu")])

    assert found[0][0] in {"brown", "yes", "no"}
    assert 0 < sum(probability for _, probability in found) <= 1 + 1e-6


def test_the_baseline_is_deterministic() -> None:
    examples = [ask("is there a dog"), ask("what color is the hat")]
    assert answer_questions(TRAIN, examples) == answer_questions(TRAIN, examples)
