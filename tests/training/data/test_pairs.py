"""Pictures with sentences: Flickr8k match, SNLI-VE, NLVR, NLVR2 and photos for retrieval."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from omninet.model.outputs.label.answer import Label
from omninet.training.data import DATASETS
from tests.training.conftest import put
from tests.training.data.pair_trees import lines_of, write_photos
from tests.training.data.trees import check_malformed, insert, message_of, read


def test_flickr8k_match(trees: Path) -> None:
    train, dev = read(trees, "flickr8k_match"), read(trees, "flickr8k_match", "dev")

    assert [len(train), len(dev)] == [8, 4]
    first = train[0]["inputs"]
    assert first == {
        "image": trees / "flickr8k_match" / "Flicker8k_Dataset" / "train0.jpg",
        "text": "All is red .",
    }
    assert [e["answer"] for e in dev] == ["match", "match", "no-match", "no-match"]


def test_photos_of_a_folder_beside(copy: Path) -> None:
    write_photos(copy / "flickr8k" / "Flicker8k_Dataset", ["train0.jpg"])
    (copy / "flickr8k_match" / "Flicker8k_Dataset").rename(copy / "unused")

    photos = {e["image"] for e in read(copy, "flickr8k_match")}

    # Without "..": another data set's path of the same photo is equal.
    assert copy / "flickr8k" / "Flicker8k_Dataset" / "train0.jpg" in photos


def test_snli_ve_with_photos_of_flickr30k(trees: Path) -> None:
    train = read(trees, "snli_ve")

    assert [e["answer"] for e in train] == ["entailment", "neutral", "contradiction"]
    assert train[1]["inputs"] == {
        "image": trees / "snli_ve" / "flickr30k_images" / "51.jpg",
        "statement": "A neutral statement.",
    }
    assert train[1]["question_id"] == "51.jpg#0r1e"


def test_snli_ve_with_photos_of_flickr8k(copy: Path) -> None:
    record = {"Flickr30K_ID": "1", "image": "train1.jpg", "sentence2": "It is dark.", "gold_label": "neutral"}
    put(copy / "snli_ve" / "snli_ve_train.jsonl", lines_of([record]))

    assert [e["image"] for e in read(copy, "snli_ve")] == [copy / "flickr8k" / "Flicker8k_Dataset" / "train1.jpg"]


def test_nlvr(trees: Path) -> None:
    train, dev = read(trees, "nlvr"), read(trees, "nlvr", "dev")

    assert [(e["image"].name, e["answer"]) for e in train] == [
        ("train-12-0-0.png", "true"),
        ("train-12-0-3.png", "true"),
        ("train-12-1-0.png", "false"),
        ("train-12-1-3.png", "false"),
    ]
    assert {e["statement"] for e in train} == {"All shapes are red."}
    assert dev[0]["image"] == trees / "nlvr" / "dev" / "images" / "7" / "dev-12-0-0.png"
    assert DATASETS["nlvr"].drawn


def test_the_source_of_an_nlvr_statement_may_be_another_part(copy: Path) -> None:
    (copy / "nlvr" / "train" / "images" / "train-12-0-0.png").rename(copy / "nlvr/train/images/hidden-9-2-0.png")
    record = {"sentence": "So?", "label": "false", "identifier": "9-2", "source": "hidden"}
    put(copy / "nlvr" / "train" / "train.json", lines_of([record]))

    assert [e["image"].name for e in read(copy, "nlvr")] == ["hidden-9-2-0.png"]


def test_nlvr_is_consistent_where_all_pictures_of_a_sentence_are_right(trees: Path) -> None:
    dataset = DATASETS["nlvr"](trees / "nlvr")
    examples = dataset.read("train")
    right = [Label(e.answer, ()) for e in examples]

    assert dataset.metrics(examples, right) == {"consistency": 100}
    assert dataset.metrics(examples, [Label("true", ()), *right[1:]]) == {"consistency": 100}
    assert dataset.metrics(examples, [Label("false", ()), *right[1:]]) == {"consistency": 0}


def test_flickr8k_for_retrieval(trees: Path) -> None:
    train, dev = read(trees, "flickr8k_retrieval"), read(trees, "flickr8k_retrieval", "dev")

    assert train[0]["task"] == "embed"
    assert train[0]["captions"] == ("A big field of red .", "All is red here .")
    assert [e["text"] for e in train[:2]] == list(train[0]["captions"])
    assert train[0]["image"] == train[1]["image"]
    assert train[0]["truth"] == train[1]["truth"] != train[2]["truth"]
    # Photos and captions are on their own, so that each is ranked among all.
    assert [list(e["inputs"]) for e in dev[:3]] == [["image"], ["text"], ["text"]]
    assert [e["truth"].kind for e in dev[:3]] == ["image", "text", "text"]
    assert len({e["truth"].photo for e in dev[:3]}) == 1


def test_some_of_a_retrieval_set_are_whole_photos(trees: Path) -> None:
    dataset = DATASETS["flickr8k_retrieval"](trees / "flickr8k_retrieval")
    every = dataset.read("dev")

    for limit in (1, len(every) // 2, len(every) - 1):
        some = dataset.some("dev", limit)
        kinds = [(e.truth.photo, e.truth.kind) for e in some]
        for photo in {photo for photo, _ in kinds}:
            assert kinds.count((photo, "image")) == 1
            assert kinds.count((photo, "text")) == sum((e.truth.photo, e.truth.kind) == (photo, "text") for e in every)
        assert 0 < len(some) <= max(limit, 3)
    assert dataset.some("dev", None) == every


def test_nlvr2(trees: Path) -> None:
    train, dev = read(trees, "nlvr2"), read(trees, "nlvr2", "dev")

    folder = trees / "nlvr2" / "images" / "train" / "7"
    assert train[0]["inputs"] == {
        "image": folder / "train-12-0-img0.png",
        "second_image": folder / "train-12-0-img1.png",
        "statement": "Both are dark.",
    }
    assert [e["answer"] for e in train] == ["true", "false"]
    assert dev[1]["second_image"] == trees / "nlvr2" / "dev" / "dev-12-1-img1.png"
    assert all(path.is_file() for e in (*train, *dev) for path in (e["image"], e["second_image"]))


def test_nlvr2_is_consistent_where_all_pairs_of_a_sentence_are_right(trees: Path) -> None:
    dataset = DATASETS["nlvr2"](trees / "nlvr2")
    pair = dataset.read("train")
    # The other sentence about the same pairs, of which the second is judged wrongly.
    other = [replace(e, question_id=e.question_id[:-1] + "0") for e in pair]

    right = [Label(e.answer, ()) for e in pair]
    assert dataset.metrics([*pair, *other], [*right, *right]) == {"consistency": 100}
    assert dataset.metrics([*pair, *other], [*right, right[0], right[0]]) == {"consistency": 50}


@pytest.mark.parametrize(("kind", "home"), [("flickr30k_retrieval", "flickr30k_images"), ("coco_retrieval", "val2014")])
def test_the_splits_of_karpathy(trees: Path, kind: str, home: str) -> None:
    train, dev, test = (read(trees, kind, split) for split in ("train", "dev", "test"))

    names = list(dict.fromkeys(e["image"].name for e in (*train, *dev, *test) if "image" in e["inputs"]))
    assert names == ["100.jpg", "101.jpg", "102.jpg", "103.jpg"]
    assert {e["image"].name for e in train} == {"100.jpg", "101.jpg"}
    assert dev[0]["image"] == trees / kind / home / "102.jpg"
    assert dev[0]["captions"] == ("A val photo, said 1 times.", "A val photo, said 2 times.")
    assert dev[0]["answer"] == dev[0]["captions"][0]
    assert dev[0]["image_id"] == ("102" if kind == "coco_retrieval" else "2")


SPLITS_FILE = "dataset_flickr30k.json"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", " is no list of photos with captions"),
        ('{"images": [3]}', " is no list of photos with captions"),
        ('{"images": [{"split": "train", "filename": "a.jpg"}]}', ", photo a.jpg is no list of photos"),
        ('{"images": [{"split": "train", "filename": "a.jpg", "sentences": [], "imgid": 1}]}', ", photo a.jpg is no"),
    ],
)
def test_a_malformed_list_of_photos_is_named(copy: Path, content: str, message: str) -> None:
    path = copy / "flickr30k_retrieval" / SPLITS_FILE
    put(path, content)

    assert message_of(copy, "flickr30k_retrieval").startswith(f"{path}{message}")


SNLI = {"Flickr30K_ID": "50", "sentence2": "It is.", "gold_label": "neutral"}
STATEMENT = {"identifier": "12-0", "sentence": "It is.", "label": "true"}


@pytest.mark.parametrize(
    ("kind", "name", "change", "message"),
    [
        ("flickr8k_match", "flickr8k.TrainImages.txt", insert(2, "a.jpg\tA dog"), ":2 is no line 'name.jpg<TAB>"),
        ("flickr8k_match", "flickr8k.TrainImages.txt", insert(2, "a.jpg\tA dog\tno"), ":2 is no line 'name.jpg<TAB>"),
        ("flickr8k_match", "flickr8k.TrainImages.txt", insert(2, "a.jpg\t\tmatch"), ":2 is no line 'name.jpg<TAB>"),
        ("snli_ve", "snli_ve_train.jsonl", insert(3, "{"), ":3 is no SNLI-VE record"),
        ("snli_ve", "snli_ve_train.jsonl", insert(3, "[]"), ":3 is no SNLI-VE record"),
        ("snli_ve", "snli_ve_train.jsonl", insert(1, json.dumps(SNLI | {"gold_label": "no"})), ":1 is no SNLI-VE"),
        ("snli_ve", "snli_ve_train.jsonl", insert(2, json.dumps(SNLI | {"sentence2": " "})), ":2 is no SNLI-VE"),
        ("snli_ve", "snli_ve_train.jsonl", insert(2, json.dumps(SNLI | {"sentence2": 3})), ":2 is no SNLI-VE"),
        ("snli_ve", "snli_ve_train.jsonl", insert(4, '{"gold_label": "neutral"}'), ":4 is no SNLI-VE record"),
        ("nlvr", "train/train.json", insert(1, json.dumps(STATEMENT | {"label": "maybe"})), ":1 is no NLVR record"),
        ("nlvr", "train/train.json", insert(2, json.dumps(STATEMENT | {"identifier": "7-7"})), ":2 is no NLVR record"),
        ("nlvr2", "train.json", insert(1, json.dumps(STATEMENT | {"label": 7})), ":1 is no NLVR2 record"),
        ("nlvr2", "train.json", insert(2, '{"label": "True"}'), ":2 is no NLVR2 record"),
    ],
)
def test_a_malformed_line_of_pairs_is_named(
    copy: Path, kind: str, name: str, change: Callable[[str], str], message: str
) -> None:
    check_malformed(copy, kind, name, change, message)


@pytest.mark.parametrize(
    ("kind", "folder", "counts"),
    [
        ("flickr8k_match", "flickr8k_match", (15271, 2438)),
        ("snli_ve", "snli_ve", (7157, 1013)),
        ("nlvr", "nlvr", (2980, 206)),
        ("flickr8k_entities", "flickr8k_entities", (17803 - 4335, 1732)),
        ("flickr8k_retrieval", "flickr8k", (6000 * 5, 1000 * 6)),
    ],
)
def test_real_data_has_the_counts_of_its_description(
    shared: Path, kind: str, folder: str, counts: tuple[int, int]
) -> None:
    if not (shared / "data" / folder).is_dir():
        pytest.skip(f"needs {shared / 'data' / folder}")

    dataset = DATASETS[kind](shared / "data" / folder)

    found = [dataset.read(split) for split in ("train", "dev")]
    if kind == "flickr8k_entities":  # besides them, phrases of other photos, in train half as many
        absent = [sum(not e.truth for e in examples) / count for examples, count in zip(found, counts, strict=True)]
        assert absent == [pytest.approx(0.5, abs=0.05), pytest.approx(1, abs=0.1)]
        found = [[e for e in examples if e.truth] for examples in found]
    assert tuple(map(len, found)) == counts
    assert all(path.is_file() for examples in found for path in {e.image for e in examples} if path)
