"""Questions made from captions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from omninet.training.data import DATASETS, Example
from omninet.training.data.caption_phrases import Photo, Sentence, nouns, split, verbs
from omninet.training.data.caption_presence import PRESENT
from omninet.training.data.caption_qa import MOST, MOST_PRESENT, ask
from omninet.training.data.caption_rules import RULES
from omninet.training.data.caption_words import COLORS, WHERE
from tests.training.conftest import put


def photo(*captions: str) -> Photo:
    return Photo(Path("x.jpg"), tuple(map(Sentence.of, captions)))


def asked(*captions: str) -> dict[str, str]:
    """Question -> answer of all that the rules ask."""
    return {a.question: a.answer for rule in RULES for a in rule(photo(*captions))}


def test_phrases_have_numbers_and_colors() -> None:
    sentence = Sentence.of(
        "Two small dogs and a man in a black and white shirt chasing another dog 's red tennis ball ."
    )

    found = {(p.name, p.number, p.colors, p.other) for p in sentence.phrases}

    assert found == {
        ("dog", 2, (), False),
        ("man", 1, (), False),
        ("shirt", 1, ("black", "white"), False),
        ("ball", 1, ("red",), False),
    }


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        ("A soccer ball game .", []),
        ("A child on a water slide .", ["child", "slide"]),
        ("A dog runs .", ["dog"]),
        ("The dog toys .", ["toy"]),
        ("A man goes to fish .", ["man"]),
        ("A man plays football .", ["man"]),
        ("A man in shorts runs .", ["man", "shorts"]),
        ("A girl in a shirt feeding ducks .", ["girl", "shirt", "bird"]),
    ],
)
def test_only_the_last_noun_of_a_phrase_counts(caption: str, named: list[str]) -> None:
    assert [p.name for p in Sentence.of(caption).phrases] == named


def test_compounds_are_one_word() -> None:
    assert split("A T-shirt, a hot dog.") == ("a", "tshirt", ",", "a", "hotdog", ".")


def test_colors_in_which_all_agree() -> None:
    found = asked("A white and black dog with a grey ball .", "A black and white dog plays .", "The dog runs .")

    assert found["what color is the dog"] == "black and white"
    assert found["what color is the ball"] == "gray"
    assert "what color is the dog" not in asked("A brown dog .", "A tan dog .")
    assert "what color is the dog" not in asked("A brown dog .", "A dog with white paws .")
    assert "what color is the dog" not in asked("A brown dog and a brown dog .")
    assert "what color is the cat" not in asked("A black-eyed cat .")
    assert asked("Two brown dogs .", "Two brown dogs run .")["what color are the dogs"] == "brown"


def test_the_wearer_is_named_if_it_is_one() -> None:
    found = asked("A man in a hat and a red shirt .", "A man in a red shirt sits .")
    assert found["what color shirt is the man wearing"] == "red"
    assert found["what is the man wearing on the head"] == "hat"

    assert asked("Two men with a red hat .")["what color is the hat"] == "red"
    assert asked("A boy in blue shorts .")["what color shorts is the boy wearing"] == "blue"
    assert asked("Men in blue shorts .")["what color are the shorts"] == "blue"


def test_numbers_need_two_captions_and_no_contradiction() -> None:
    assert asked("Two dogs run .", "2 small dogs play .", "Dogs .")["how many dogs are there"] == "2"
    assert asked("Two men run .", "A man and another man .")["how many men are there"] == "2"
    question = "how many dogs are there"
    assert question not in asked("Two dogs run .", "Dogs .")
    assert question not in asked("Two dogs run .", "Three dogs .", "Two dogs .")
    assert question not in asked("Two dogs run .", "Two dogs .", "A dog .")
    assert "how many men are there" not in asked("Four men .", "Four men .", "Three people .")
    assert "how many people are there" not in asked("Two people .", "Two people .", "A crowd watches .")


def test_actions_that_most_name() -> None:
    question = "what is the man doing"
    assert asked("A man runs .", "A man in a red shirt is running .", "A person jumps .")[question] == "running"
    assert asked("A man plays soccer .", "A man plays .")[question] == "playing soccer"
    assert asked("Two men sit .", "The men are sitting .")["what are the men doing"] == "sitting"
    assert question not in asked("A man runs .", "A man jumps .")
    assert question not in asked("A man runs .", "A man is running .", "A man sits .")
    assert question not in asked("A man sits .", "A man sitting .", "A man stands .")
    assert question not in asked("A man runs .", "Another man runs .")
    assert question not in asked("A man runs .", "A woman runs .")  # who knows


def test_subjects_of_actions() -> None:
    assert asked("A boy jumps .", "A child is jumping .")["who is jumping"] == "boy"
    assert "who is jumping" not in asked("A boy jumps .", "A girl jumps .")
    assert "who is jumping" not in asked("A boy and a girl jumping .", "A boy .", "A girl .")
    assert "who is looking" not in asked("A boy looks .", "A boy looks .")


def test_places() -> None:
    question = "where is the dog"
    assert asked("A dog runs on the beach .", "A dog on a sandy beach .")[question] == "on the beach"
    assert asked("A dog in the water .", "A dog swims in the ocean .")[question] == "in the water"
    assert asked("A boy plays at the park .", "The park .")["where is the boy"] == "in a park"
    assert question not in asked("A dog on the grass .", "A dog on the grass .", "Snow .")
    assert question not in asked("A dog watches a man on the beach .", "The beach .")
    assert question not in asked("A dog looks at the water .", "The water .")


def test_things_that_are_handled() -> None:
    assert asked("A man rides a red bike .", "A man .")["what is the man riding"] == "bike"
    assert asked("A woman is carrying a small bag .", "A woman holds a bag .")["what is the woman holding"] == "bag"
    assert asked("A dog chases after a ball .", "A dog .")["what is the dog chasing"] == "ball"
    assert asked("A dog jumps over a log .", "A dog .")["what is the dog jumping over"] == "log"
    assert "what is the dog holding" not in asked("A dog holds a toy .", "A dog with a stick .")
    assert asked("A dog with a stick in its mouth .")["what is in the mouth of the dog"] == "stick"


def test_animals_and_sports() -> None:
    assert asked("A dog .", "A puppy growling .")["what animal is in the picture"] == "dog"
    assert "what animal is in the picture" not in asked("A dog .", "A dog and a snarling cat .")
    assert "what animal is in the picture" not in asked("A broom like a horse .", "A broom .")
    assert asked("A soccer player .", "Men play soccer .")["what sport is being played"] == "soccer"
    assert "what sport is being played" not in asked("A dog plays with a tennis ball .", "A tennis ball .")


CAPTIONS = {
    f"{i}.jpg": [f"A {color} {animal} runs through the {place} .", f"The {animal} is running in the {place} ."]
    for i, (color, animal, place) in enumerate(
        (c, a, p)
        for c in ("black", "brown", "grey", "white")
        for a in ("dog", "horse", "bird", "man", "boy")
        for p in ("snow", "water", "grass")
    )
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixty photos of Flickr8k's layout."""
    lines = "".join(f"{name}#{k}\t{c}\n" for name, captions in CAPTIONS.items() for k, c in enumerate(captions))
    put(tmp_path / "Flickr8k.token.txt", lines)
    put(tmp_path / "Flicker8k_Dataset" / "0.jpg", "")
    for split_name in ("train", "dev"):
        put(tmp_path / f"Flickr_8k.{split_name}Images.txt", "\n".join(CAPTIONS) + "\n")
    return tmp_path


def read(folder: Path) -> list[Example]:
    return list(DATASETS["caption_qa"](folder).read("train"))


def test_each_photo_is_asked_about_once(folder: Path) -> None:
    examples = read(folder)

    assert {e.task for e in examples} == {"vqa"}
    assert examples[0].image
    assert examples[0].image.parent == folder / "Flicker8k_Dataset"
    pairs = Counter((e.image, e.question) for e in examples)
    assert set(pairs.values()) == {1}
    per_photo = Counter(e.image for e in examples)
    assert 1 < max(per_photo.values()) <= MOST
    present = Counter(e.image for e in examples if e.answer_type == "yes/no")
    assert 1 < max(present.values()) <= MOST_PRESENT
    assert all(e.question == e.question.lower() and not e.question.endswith("?") for e in examples if e.question)
    assert read(folder) == examples


def test_presence_cannot_be_guessed_from_the_question(folder: Path) -> None:
    answers: dict[str, Counter[str]] = {}
    for example in read(folder):
        if example.answer_type == "yes/no" and example.image and example.question:
            answers.setdefault(example.question, Counter())[example.answer] += 1
            name = example.question.split()[-1]
            is_said = name in " ".join(CAPTIONS[example.image.name]).split()
            assert example.answer == ("yes" if is_said else "no")

    assert {"is there a dog", "is there snow"} <= answers.keys()
    assert all(counts["yes"] == counts["no"] for counts in answers.values())


def test_no_answer_is_given_too_often(folder: Path) -> None:
    animals = Counter(e.answer for e in read(folder) if e.question == "what animal is in the picture")
    assert len(animals) == 3

    commonplace = [photo(f"A {c} dog .", f"A {c} puppy .") for c in COLORS for _ in range(20)]
    exceptions = [photo("A cat .", "A cat ."), photo("A bird .", "A bird .")] * 3
    made = Counter(a.answer for group in ask(commonplace + exceptions) for a in group if a.kind == "animal")
    assert made["dog"] < 20
    assert made["cat"] == made["bird"] == 3


def test_the_words_fit_together() -> None:
    names = {noun.name for noun in nouns().values()}

    assert WHERE.keys() <= names
    assert PRESENT.keys() <= names
    assert all(name.endswith("ing") for name, _ in verbs().values())


def test_real_captions(shared: Path) -> None:
    folder = shared / "data" / "flickr8k"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")

    examples = DATASETS["caption_qa"](folder).read("dev")

    assert 2500 < len(examples) < 4000
    assert len({e.answer for e in examples}) < 250
    assert max(Counter(e.image for e in examples).values()) <= MOST
    kinds = Counter(e.answer_type for e in examples)
    assert kinds["yes/no"] < kinds["other"]
