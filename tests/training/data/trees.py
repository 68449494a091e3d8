"""Small made-up data sets in their public layouts, and what reading them says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageFont

from omninet.training.data import DATASETS, DataError
from tests.samples import video_bytes
from tests.sounds import tone, wav
from tests.training.conftest import COLOURS, photo, put

PHOTOS = {"train": ("train", (9, 25, 30, 42)), "dev": ("val", (73, 74))}
VOTES = ("white", "blue", "white", "off white", "white", "white", "blue", "white", "white", "white")
HMDB_LISTS = {
    "brush_hair": {"a_brush_hair_u.avi": 1, "b(1)_brush#hair.avi": 1, "c_brush_hair.avi": 2, "d_brush_hair.avi": 0},
    "wave": {"a_wave.avi": 2, "b_wave.avi": 1},
}
SOUND = wav(tone(0.1, 8000), 8000)
TREES = """
( (S
    (NP-SBJ (DT The) (NN dog) )
    (VP (VBZ runs)
      (S (NP-SBJ (-NONE- *-1) ) (PRN (-LRB- -LRB-) (NN 1\\/2) (-RRB- -RRB-) )))
    (. .) ))
( (NP (`` ``) (NNP Hi) ('' '') ))
"""


def read(folder: Path, kind: str, split: str = "train") -> list[dict[str, Any]]:
    """Examples as values, their inputs among them."""
    return [{**vars(example), **example.inputs} for example in DATASETS[kind](folder / kind).read(split)]


def message_of(folder: Path, kind: str, split: str = "train") -> str:
    """Return the message of the error when reading fails."""
    with pytest.raises(DataError) as caught:
        DATASETS[kind](folder / kind).read(split)
    return str(caught.value)


def check_malformed(folder: Path, kind: str, name: str, change: Callable[[str], str], message: str) -> None:
    """Change a file of a data set and check that the error names it and says what is wrong."""
    path = folder / kind / name
    path.write_text(change(path.read_text()))

    assert message_of(folder, kind).startswith(f"{path}{message}")


def insert(line: int, text: str) -> Callable[[str], str]:
    """A change that puts a line into a file."""

    def change(content: str) -> str:
        lines = content.splitlines()
        return "\n".join([*lines[: line - 1], text, *lines[line - 1 :]]) + "\n"

    return change


def write_coco(folder: Path, year: int = 2017, photos: str = "") -> None:
    """Two captions a photo, and one photo without; the photos lie in ``photos``."""
    for part, ids in PHOTOS.values():
        name = f"{part}{year}"
        files = {i: f"COCO_{name}_{i:012}.jpg" if year == 2014 else f"{i:012}.jpg" for i in ids}
        for file, colour in zip(files.values(), COLOURS, strict=False):
            put(folder / photos / name / file, photo(colour))
        content = {
            "info": {"year": year},
            "images": [
                {"license": 3, "file_name": file, "height": 30, "width": 40, "id": i} for i, file in files.items()
            ],
            "annotations": [
                {"image_id": i, "id": 100 * i + n, "caption": f"Photo {i} of {name}, said {n} times. \n"}
                for n in (1, 2)
                for i in reversed(ids[1:])
            ],
        }
        put(folder / "annotations" / f"captions_{name}.json", json.dumps(content))


def write_vqa2(folder: Path, photos: str = "") -> None:
    """Two questions a photo, with ten answers each."""
    for part, ids in PHOTOS.values():
        name = f"{part}2014"
        for i, colour in zip(ids, COLOURS, strict=False):
            put(folder / photos / name / f"COCO_{name}_{i:012}.jpg", photo(colour))
        questions: list[dict[str, Any]] = [
            {"image_id": i, "question": f"What colour is {thing} {i}?", "question_id": i * 1000 + n}
            for i in ids
            for n, thing in enumerate(("wall", "door"))
        ]
        annotations = [
            {
                "question_type": "what colour is",
                "multiple_choice_answer": "blue" if question["question_id"] % 2 else "white",
                "answers": [
                    {"answer": vote, "answer_confidence": "yes", "answer_id": n} for n, vote in enumerate(VOTES, 1)
                ],
                "image_id": question["image_id"],
                "answer_type": "other",
                "question_id": question["question_id"],
            }
            for question in reversed(questions)
        ]
        head = {"data_type": "mscoco", "data_subtype": name}
        put(folder / f"v2_OpenEnded_mscoco_{name}_questions.json", json.dumps(head | {"questions": questions}))
        put(folder / f"v2_mscoco_{name}_annotations.json", json.dumps(head | {"annotations": annotations}))


def write_penn(folder: Path, root: str = "parsed/mrg/wsj") -> None:
    """Sections 00 to 24: two trees, and one that names its section, in two files each."""
    for section in range(25):
        put(folder / root / f"{section:02}" / f"wsj_{section:02}01.mrg", TREES)
        put(folder / root / f"{section:02}" / f"wsj_{section:02}02.mrg", f"( (S (NP (CD {section}) )))\n")


def write_ptb_sample(folder: Path) -> None:
    """Two trees, and one of a single word."""
    put(folder / "train.mrg", TREES)
    put(folder / "dev.mrg", "( (UH Hi) )\n")


def write_multi30k(folder: Path) -> None:
    """Three pairs in train and two in dev."""
    for name, count in (("train", 3), ("val", 2)):
        put(folder / f"{name}.en", "".join(f"Dog {i} runs.\n" for i in range(count)))
        put(folder / f"{name}.de", "".join(f"Hund {i} läuft.\n" for i in range(count)))


def write_multi30k_captions(folder: Path) -> None:
    """Photos 1 and 2 are in Flickr8k's train list, 3 in its dev list, 9 in neither."""
    write_multi30k(folder)
    put(folder / "train_images.txt", "1.jpg\n9.jpg\n2.jpg\n")
    put(folder / "val_images.txt", "1.jpg\n3.jpg\n")
    put(folder / "Flickr_8k.trainImages.txt", "1_a.jpg\n2_b.jpg\n")
    put(folder / "Flickr_8k.devImages.txt", "3_c.jpg\n")
    for name in ("1_a", "2_b", "3_c"):
        put(folder / "Flicker8k_Dataset" / f"{name}.jpg", photo("red"))


def write_wmt14(folder: Path) -> None:
    """Two pairs in train and one in dev."""
    for name, count in (("train", 2), ("newstest2013", 1)):
        put(folder / f"{name}.en", "".join(f"Vote {i} is open.\n" for i in range(count)))
        put(folder / f"{name}.de", "".join(f"Wahl {i} ist offen.\n" for i in range(count)))


def write_an4(folder: Path) -> None:
    """Two recordings in train and one in dev."""
    put(folder / "train.tsv", "anna/one.wav\tENTER  SIX\nanna/two.wav\tA B C\n")
    put(folder / "dev.tsv", "bob/one.wav\tNO\n")
    for name in ("anna/one", "anna/two", "bob/one"):
        put(folder / "wav" / f"{name}.wav", SOUND)


def write_fsdd(folder: Path) -> None:
    """Two speakers, three digits in train and one in dev."""
    names = {"train": ("0_anna_5.wav", "7_anna_6.wav", "7_bob_5.wav"), "dev": ("3_bob_5.wav",)}
    for split, files in names.items():
        put(folder / f"{split}.txt", "".join(f"{name}\n" for name in files))
        for name in files:
            put(folder / "recordings" / name, SOUND)


def write_librispeech(folder: Path) -> None:
    """Two sets for training, and dev-clean."""
    for name in ("train-clean-100", "train-other-500", "dev-clean"):
        put(folder / name / "8" / "9" / "8-9.trans.txt", "8-9-0000 HE HOPED\n8-9-0001 STUFF IT\n")
        for number in range(2):
            put(folder / name / "8" / "9" / f"8-9-000{number}.flac", SOUND)


def write_speech_commands(folder: Path) -> None:
    """Three recordings of two words; one is for dev, one for test."""
    put(folder / "validation_list.txt", "yes/b.wav\n")
    put(folder / "testing_list.txt", "no/a.wav\n")
    for name in ("yes/a", "yes/b", "no/a", "_background_noise_/rain"):
        put(folder / f"{name}.wav", SOUND)


def write_scene_words(folder: Path) -> None:
    """Two words in train and one in dev, of both sets."""
    for name in ("icdar2015", "iiit5k"):
        put(folder / f"{name}_train.txt", f'\ufeff{name}/1.jpg, "SALE!"\n{name}/2.jpg, "a, \\"b\\""\n')
        put(folder / f"{name}_dev.txt", f'{name}/3.jpg, "Exit"\n')
        for number in (1, 2, 3):
            put(folder / name / f"{number}.jpg", photo("red"))


def write_icdar2015_scenes(folder: Path) -> None:
    """Two photos with words, one of them for dev."""
    for part, number in (("train", 1), ("dev", 2)):
        words = "\ufeff10,20,40,22,39,30,9,28,SALE, now\n1,1,5,1,5,5,1,5,###\n"
        put(folder / part / "Gts" / f"gt_img_{number}.txt", words)
        put(folder / part / "Imgs" / f"img_{number}.jpg", photo("red"))


def write_icdar2013_scenes(folder: Path) -> None:
    """Eleven photos, numbered, with one word each."""
    for number in range(11):
        words = f'{number} 2 30 12 "Exit"\n'
        put(folder / "Challenge2_Training_Task1_GT" / f"gt_{number}.txt", words)
        put(folder / "Challenge2_Training_Task12_Images" / f"{number}.jpg", photo("red"))


def write_total_text(folder: Path) -> None:
    """Eleven photos with a curved word and one that cannot be read."""
    words = "x: [[1 5 9]], y: [[2 3 4]], ornt: [u'c'], transcriptions: [u'PETRO']\n"
    words += "x: [[1 2\n 3]], y: [[2 3 4]], ornt: [u'#'], transcriptions: [u'#']\n"
    for number in range(11):
        put(folder / "Groundtruth" / "Polygon" / "Train" / f"poly_gt_img{number}.txt", words)
        put(folder / "Images" / "Train" / f"img{number}.jpg", photo("red"))


def write_coco_text(folder: Path) -> None:
    """Two photos, one of them for dev; one word in each, and one in another language."""
    images = {str(i): {"set": part, "file_name": f"{i}.jpg"} for i, part in ((1, "train"), (2, "val"), (3, "train"))}
    word = {"mask": [1, 2, 9, 2, 9, 8, 1, 8], "legibility": "legible", "language": "english", "utf8_string": "ab"}
    words = {str(i): word | {"utf8_string": text} for i, text in ((10, "one"), (20, "two"))}
    words |= {"11": word | {"language": "not english"}, "30": word | {"legibility": "illegible"}}
    values = {"imgs": images, "anns": words, "imgToAnns": {"1": [10, 11], "2": [20], "3": [30]}}
    put(folder / "cocotext.v2.json", json.dumps(values))
    for number in images:
        put(folder / "train2014" / f"{number}.jpg", photo("red"))


def write_street_view_text(folder: Path) -> None:
    """Eleven photos with a word each."""
    box = '<taggedRectangle height="10" width="30" x="5" y="6"><tag>LIVING</tag></taggedRectangle>'
    image = "<image><imageName>img/{}.jpg</imageName><taggedRectangles>" + box + "</taggedRectangles></image>"
    put(folder / "train.xml", f"<?xml version='1.0'?><tagset>{''.join(map(image.format, range(11)))}</tagset>")
    for number in range(11):
        put(folder / "img" / f"{number}.jpg", photo("red"))


def write_rendered_text(folder: Path) -> None:
    """A font, a photo and two words."""
    (fonts := folder / "fonts" / "inner").mkdir(parents=True)
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    put(fonts / "default.ttf", font.font_bytes)
    put(fonts / "broken.ttf", b"none")
    put(folder / "backgrounds" / "a.jpg", photo("blue"))
    put(folder / "words.txt", "tiger\nlamp\n")


def write_class_folders(folder: Path) -> None:
    """Two classes; a file that is no photo."""
    for name in ("train/great_owl/a.jpg", "train/great_owl/b.PNG", "train/cup/c.jpg", "val/cup/d.jpg"):
        put(folder / name, photo("red"))
    put(folder / "train" / "cup" / "notes.txt", "none")


def write_ilsvrc2012(folder: Path) -> None:
    """Three classes, two of them with one name."""
    put(folder / "synset_words.txt", "n01 crane, a bird\nn02 cup\nn03 crane\n")
    put(folder / "val.txt", "v1.JPEG 1\nv2.JPEG 2\n")
    for name in ("train/n01/a.JPEG", "train/n03/b.JPEG", "val/v1.JPEG", "val/v2.JPEG"):
        put(folder / name, photo("red"))


def write_hmdb51(folder: Path, videos: str = "videos", splits: str = "splits") -> None:
    """Two classes, with clips of every flag."""
    for name, flags in HMDB_LISTS.items():
        # The published lists end their lines with a space.
        lines = "".join(f"{clip} {flag} \n" for clip, flag in flags.items())
        put(folder / splits / f"{name}_test_split1.txt", lines)
        put(folder / splits / f"{name}_test_split2.txt", lines.replace(" 1", " 2"))
        for clip in flags:
            put(folder / videos / name / clip, video_bytes("avi", frames=6))


def write_caption_qa(folder: Path) -> None:
    """Four photos a split, with captions that name hats of different colors."""
    tokens = ""
    for part in ("train", "dev"):
        names = {f"{part}{i}.jpg": colour for i, colour in enumerate(COLOURS)}
        put(folder / f"Flickr_8k.{part}Images.txt", "\n".join(names) + "\n")
        for name, colour in names.items():
            put(folder / "Flicker8k_Dataset" / name, photo(colour))
            tokens += f"{name}#0\tA boy in a {colour} hat .\n{name}#1\tA boy is running .\n"
    put(folder / "Flickr8k.token.txt", tokens)


def write_caltech101(folder: Path) -> None:
    """One photo of each of two classes in both splits."""
    for part in ("train", "dev"):
        names = [f"{thing}/image_{part}.jpg" for thing in ("Faces", "airplanes")]
        put(folder / f"{part}.txt", "\n".join(names) + "\n")
        for name in names:
            put(folder / "101_ObjectCategories" / name, photo("red"))


def write_labelled(folder: Path) -> None:
    """Two photos in both splits: one with a class of its source, one with the classes of a classifier alone."""
    put(folder / "classes.txt", "pizza\ntench\numbrella\n")
    for part in ("train", "dev"):
        records = []
        for number, (label, probabilities) in enumerate(
            (("pizza", {"tench": 0.5, "pizza": 0.25}), ("", {"umbrella": 0.75, "tench": 0.125}))
        ):
            name = f"photos/{part}{number}.jpg"
            put(folder / name, photo("red"))
            records.append(json.dumps({"photo": name, "label": label, "probabilities": probabilities}))
        put(folder / f"{part}.jsonl", "\n".join(records) + "\n")


CONLL = "@anna\tB-person\nsaw\tO\nNew\tB-place\nYork\tI-place\n\nHi\tO\n"


def write_wnut17(folder: Path) -> None:
    """Two sentences in both splits."""
    put(folder / "wnut17train.conll", CONLL)
    put(folder / "emerging.dev.conll", CONLL)


def write_conll2003(folder: Path) -> None:
    """Two sentences, whose spans begin with I, in both splits."""
    text = "-DOCSTART- -X- O O\n\nAnna NNP I-NP I-PER\nBob NNP I-NP B-PER\nLee NNP I-NP I-PER\n. . O O\n\nHi UH O O\n"
    put(folder / "eng.train", text)
    put(folder / "eng.testa", text)


WRITERS: dict[str, Callable[[Path], None]] = {
    "coco": write_coco,
    "vqa2": write_vqa2,
    "penn": write_penn,
    "penn_trees": write_penn,
    "ptb_sample": write_ptb_sample,
    "multi30k": write_multi30k,
    "multi30k_back": write_multi30k,
    "multi30k_captions": write_multi30k_captions,
    "multi30k_seen": write_multi30k_captions,
    "multi30k_seen_back": write_multi30k_captions,
    "multi30k_masked": write_multi30k_captions,
    "multi30k_masked_seen": write_multi30k_captions,
    "wmt14": write_wmt14,
    "wmt14_back": write_wmt14,
    "an4": write_an4,
    "fsdd": write_fsdd,
    "librispeech": write_librispeech,
    "speech_commands": write_speech_commands,
    "icdar2015_words": write_scene_words,
    "iiit5k_words": write_scene_words,
    "rendered_text": write_rendered_text,
    "rendered_scenes": write_rendered_text,
    "icdar2013_scenes": write_icdar2013_scenes,
    "icdar2015_scenes": write_icdar2015_scenes,
    "total_text": write_total_text,
    "coco_text": write_coco_text,
    "street_view_text": write_street_view_text,
    "class_folders": write_class_folders,
    "ilsvrc2012": write_ilsvrc2012,
    "hmdb51": write_hmdb51,
    "caption_qa": write_caption_qa,
    "caption_pairs": write_caption_qa,
    "caltech101": write_caltech101,
    "caltech101_captions": write_caltech101,
    "caltech101_questions": write_caltech101,
    "imagenet": write_labelled,
    "wnut17": write_wnut17,
    "conll2003": write_conll2003,
    "thing_captions": write_labelled,
    "thing_questions": write_labelled,
}
