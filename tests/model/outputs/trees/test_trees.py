"""Bracketed trees: reading, classes and back, the grammar, evalb, and trees of a network."""

from __future__ import annotations

import math
import random
from typing import Any, cast

import pytest

from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import InputError
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.trees.answer import Parse
from omninet.model.outputs.trees.brackets import BracketGrammar, bracket_grammar, classes_of, written
from omninet.model.outputs.trees.evalb import brackets_of, evalb_scores
from omninet.model.outputs.trees.output import LEAST
from omninet.model.outputs.trees.tree import Tree, escaped, plain, read_trees, tagged_words
from omninet.model.predictor import Predictor
from tests.toys import NEW_VOCABULARIES, toy_with

OUTPUT = OUTPUTS["trees"]
BRACKETS = NEW_VOCABULARIES["brackets"]
TEXT = "(S (NP the dog) (VP saw (NP a cat)) .)"
TAGS = ("DT", "NN", "VBD", "DT", "NN", ".")


def tree(text: str) -> Tree:
    (found,) = read_trees(text)
    return found


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    return toy_with(toy, ["parse", "pos"], NEW_VOCABULARIES)


def test_a_tree_is_read_and_written() -> None:
    assert str(tree("\n ( S(NP the dog )\t(VP saw(NP a cat)).)\n")) == TEXT
    assert list(tree(TEXT).words) == ["the", "dog", "saw", "a", "cat", "."]
    assert tree("((A b))") == Tree("", (Tree("A", ("b",)),))
    assert [str(each) for each in read_trees("(A b) (C d)\n()")] == ["(A b)", "(C d)", "()"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(A b) c", "line 1: expected a bracketed tree, found 'c'"),
        ("(A b)\n)", "line 2: expected a bracketed tree, found ')'"),
        ("(A b)\n(A\n(B c)\n", "line 2: a closing bracket of this tree is missing"),
    ],
)
def test_a_malformed_tree_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="line") as caught:
        list(read_trees(text))
    assert str(caught.value) == message


def test_a_tree_of_the_treebank_becomes_plain() -> None:
    found = tree("( (S-2 (NP=1 (-NONE- *)) (NP-SBJ (-LRB- -LRB-) (NN x)) (ADVP|PRT (RB up)) (X (Y (-NONE- *T*)))) )")

    assert list(tagged_words(found)) == [("-LRB-", "-LRB-"), ("x", "NN"), ("up", "RB")]
    assert str(plain(found)) == "(S (NP -LRB- x) (ADVP up))"
    assert plain(tree("( (NP (-NONE- *)))")) is None
    with pytest.raises(ValueError, match="the word 'the' has no tag"):
        list(tagged_words(tree("(NP the dog)")))


def test_classes_and_back() -> None:
    classes = classes_of(tree(TEXT))

    assert " ".join(classes) == "(S (NP word word ) (VP word (NP word word ) ) word ) end"
    assert written(classes, ["the", "dog", "saw", "a", "cat", "."]) == TEXT
    assert written(classes_of(tree("(S (NP x))")), ["(New York]"]) == "(S (NP -LRB-New_York-RSB-))"
    assert escaped("a\u00a0b") == "a_b"


@pytest.mark.parametrize(("words", "steps"), [(1, 4), (1, 20), (5, 8), (5, 9), (5, 40)])
def test_the_grammar_admits_only_complete_trees(words: int, steps: int) -> None:
    grammar = bracket_grammar(BRACKETS, words, steps)
    for seed in range(50):
        draw, ids = random.Random(seed), list[int]()
        while grammar.end not in ids:
            ids.append(draw.choice(sorted(grammar.following(ids))))
        names = [BRACKETS[i] for i in ids]
        found = tree(written(names, ["x"] * words))
        assert classes_of(found) == names
        assert len(list(found.words)) == words
        assert len(ids) <= steps


def test_the_grammar_admits_every_tree() -> None:
    classes = [BRACKETS.index(name) for name in classes_of(tree(TEXT))]
    grammar = bracket_grammar(BRACKETS, 6, len(classes))

    assert all(each in grammar.following(classes[:i]) for i, each in enumerate(classes))
    # One class fewer leaves no room for the last constituent.
    tight = bracket_grammar(BRACKETS, 6, len(classes) - 1)
    assert not all(each in tight.following(classes[:i]) for i, each in enumerate(classes))
    assert isinstance(tight, BracketGrammar)


def test_brackets_are_counted_without_punctuation() -> None:
    # The final stop ends no constituent; PRT counts as ADVP, and a constituent of punctuation alone not at all.
    found = brackets_of(tree("(S (NP the dog) (VP ran (PRT off)) (X .))"), ["DT", "NN", "VBD", "RP", "."])

    assert found == {("S", 0, 4): 1, ("NP", 0, 2): 1, ("VP", 2, 4): 1, ("ADVP", 3, 4): 1}


def test_scores_by_hand() -> None:
    # True: S(0,5) NP(0,2) VP(2,5) NP(3,5); given: S(0,5) NP(0,2) VP(2,4) NP(3,4) NP(4,5), of which two are right.
    given = tree("(S (NP the dog) (VP saw (NP a)) (NP cat) .)")

    scores = evalb_scores([tree(TEXT)], [given], [TAGS])

    assert scores == pytest.approx({"F1": 400 / 9, "precision": 40, "recall": 50, "exact trees": 0})
    assert evalb_scores([tree(TEXT)], [tree(TEXT)], [TAGS])["exact trees"] == 100
    # A constituent that is there twice counts twice.
    twice = evalb_scores([tree("(S (NP (NP x)))")], [tree("(S (NP x))")], [["NN"]])
    assert twice == pytest.approx({"F1": 80, "precision": 100, "recall": 200 / 3, "exact trees": 0})


def test_trees_of_a_text(predictor: Predictor) -> None:
    answer = cast(Parse, predictor.predict("parse", text="The dog (a big one) ran. It was gone."))

    assert len(answer.sentences) == 2
    for sentence, words in zip(answer.sentences, ("The dog -LRB- a big one -RRB- ran .", "It was gone ."), strict=True):
        assert list(tree(sentence.tree).words) == words.split()
        assert sentence.log_probability < 0
    assert predictor.output("parse").text(answer) == "\n".join(each.tree for each in answer.sentences)


def test_the_log_probability_is_that_of_the_tree(predictor: Predictor) -> None:
    answer = cast(Parse, predictor.predict("parse", tokens=["It", "ran"]))
    (sentence,) = answer.sentences
    ids = tuple(BRACKETS.index(name) for name in classes_of(tree(sentence.tree)))

    (scored,) = predictor.score("parse", [ids], tokens=["It", "ran"])

    assert sentence.log_probability == pytest.approx(math.fsum(scored.log_probabilities), abs=1e-4)


def test_a_sentence_with_too_many_words(predictor: Predictor) -> None:
    most = predictor.config.network.cnp.max_length - LEAST

    with pytest.raises(InputError) as caught:
        predictor.predict("parse", tokens=["a"] * (most + 1))

    assert caught.value.code == "text_too_long"


def test_the_constant_answer_is_one_constituent() -> None:
    class Right:
        tags, truth = TAGS, TEXT

    truths: Any = [Right()]

    name, answers = OUTPUT.constant(truths, truths)

    assert name == "one S"
    assert OUTPUT.metrics(truths, answers) == pytest.approx(
        {"F1": 40, "precision": 100, "recall": 25, "exact trees": 0}
    )
    assert OUTPUT.line(answers[0]) == "(S the dog saw a cat .)"
    assert not OUTPUT.is_right(truths[0], answers[0])
    assert OUTPUT.classes(truths[0]) == classes_of(tree(TEXT))
