"""Video without having learnt any: photos in motion, clips by class, clips with captions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omninet.model.media.images import decode_image
from omninet.model.outputs.text.answer import Caption
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate import answer_all, answer_data, measure
from omninet.training.evaluate.class_words import CLASS_WORDS
from omninet.training.evaluate.motion import in_motion
from omninet.training.evaluate.zero_shot import Naming, caption_clips, compare, name_classes, prepare_moving, zero_shot
from tests.training.conftest import make_config
from tests.training.evaluate.conftest import answered


def clips(*classes: str) -> list[Example]:
    return [Example("activity", {"video": Path(f"{i}.mp4")}, answer=name) for i, name in enumerate(classes)]


def test_a_photo_in_motion_is_one_video_of_sixteen_frames(predictor: Predictor, data: Path) -> None:
    photo = data / "daquar" / "images" / "image1.jpg"

    job = prepare_moving(predictor, Example("vqa", {"image": photo, "question": "what colour ?"}))

    (row,) = job.rows
    assert [given.peripheral for given in row.inputs] == ["vision", "language"]
    clip = in_motion(decode_image(photo.read_bytes()).pixels, "image1.jpg")
    expected = predictor.prepare("vqa", video=clip, question="what colour ?").rows[0]
    assert row.inputs[0].value.shape == (16, 3, 64, 64)
    assert np.array_equal(row.inputs[0].value, expected.inputs[0].value)


def test_motion_is_compared_with_the_same_photos(predictor: Predictor, data: Path) -> None:
    given = next(answer_data(predictor, make_config(), data))
    moving = [
        predictor.predict("caption", video=in_motion(decode_image(e.image.read_bytes()).pixels, e.image.name))
        for e in given.examples
        if e.image
    ]

    found = compare(predictor, given)

    assert [c.task for c in found] == ["video-caption"] * len(found)
    assert {c.name: c.still for c in found} == pytest.approx(given.metrics())
    assert {c.name: c.moving for c in found} == pytest.approx(given.metrics(moving))
    assert all(c.count == 2 and c.data == "flickr8k" for c in found)
    assert [c.ratio for c in found] == [c.moving / c.still if c.still >= 0.05 else None for c in found]


def test_zero_shot_tests_depend_on_the_data(predictor: Predictor, data: Path) -> None:
    found = zero_shot(predictor, answer_data(predictor, make_config(), data, limit=1))

    assert {c.task for c in found.motion} == {"video-caption", "video-qa"}
    assert found.naming == ()  # no words are known of the made-up classes


def test_clips_with_captions_are_measured_as_they_are(predictor: Predictor, data: Path) -> None:
    clip = data / "activities" / "clips" / "wave" / "dev0.mp4"
    example = Example("caption", {"video": clip}, captions=("a grey clip brightens",))
    given = answered([example], [example], answer_all(predictor, [example]))

    assert measure(given).task == "video-caption"
    assert zero_shot(predictor, [given]).motion == ()


def test_clips_are_captioned_as_videos(predictor: Predictor, data: Path) -> None:
    clip = data / "activities" / "clips" / "wave" / "dev0.mp4"

    written = caption_clips(predictor, [Example("activity", {"video": clip}, answer="wave")])

    answer = predictor.predict("caption", video=clip)
    assert isinstance(answer, Caption)
    assert written == [answer.caption]


def test_captions_that_name_the_class() -> None:
    examples = clips("tennis serve", "tennis smash", "tennis smash", "fight", "fight", "unknown")
    captions = ["A Tennis player.", "a dog", "a man with a racket", "two men fight", "a ball", "a court"]

    *classes, mean = name_classes(examples, captions)

    # To tennis another stroke is no other class: of three other captions, "a ball" and "a court" are of tennis.
    assert classes == [
        Naming("fight", 50.0, 0.0, 2),
        Naming("tennis serve", 100.0, 200 / 3, 1),
        Naming("tennis smash", 50.0, 200 / 3, 2),
    ]
    # Over clips: 1 of 1, 1 of 2 and 1 of 2 name theirs; the controls are 2/3 for three clips and 0 for two.
    assert (mean.label, mean.count) == ("all", 5)
    assert (mean.named, mean.control) == pytest.approx((100 * 3 / 5, 100 * (2 / 3 * 3) / 5))


def test_whole_words_count() -> None:
    (fight, _) = name_classes(clips("fight"), ["a firefighter fights"])
    assert fight.named == 100
    (fight, _) = name_classes(clips("fight"), ["a firefighter"])
    assert fight.named == 0


def test_every_class_of_the_shared_clips_has_words(shared: Path) -> None:
    names = (shared / "data" / "activities" / "train.txt").read_text().split()

    assert {name.partition("/")[0].replace("_", " ") for name in names} == CLASS_WORDS.keys()


def test_words_are_as_captions_are_compared() -> None:
    assert all(word.isalpha() and word.islower() for words in CLASS_WORDS.values() for word in words)
