"""Predictor: the six uses, mixed batches, and errors of inputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from omninet.model.checkpoint import load
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.errors import CheckpointError, InputError
from omninet.model.job import Job
from omninet.model.media.images import Picture, decode_image
from omninet.model.media.limits import MediaLimits
from omninet.model.media.videos import Clip, decode_video
from omninet.model.modalities.language.words import MAX_CHARACTERS
from omninet.model.network.memory import Memory
from omninet.model.network.omninet import OmniNet
from omninet.model.outputs.answer import Answer
from omninet.model.outputs.label.answer import Label
from omninet.model.outputs.tags.answer import Tagging
from omninet.model.outputs.text.answer import Caption
from omninet.model.predictor import Predictor
from tests.conftest import ACTIVITIES, ANSWERS, TAGS
from tests.samples import image_bytes, jpeg_bytes, picture, video_bytes

QUESTION = "What is on the table?"
USES: dict[str, tuple[str, dict[str, Any]]] = {
    "caption": ("caption", {"image": jpeg_bytes()}),
    "vqa": ("vqa", {"image": jpeg_bytes(), "question": QUESTION}),
    "pos": ("pos", {"text": "She didn't know. A dog runs."}),
    "activity": ("activity", {"video": video_bytes()}),
    "video-caption": ("caption", {"video": video_bytes()}),
    "video-qa": ("vqa", {"video": video_bytes(), "question": QUESTION}),
}


def assert_same(actual: Answer, expected: Answer) -> None:
    """Assert that two answers are equal, with nearly equal probabilities."""
    assert type(actual) is type(expected)
    assert actual.notes == expected.notes
    if isinstance(actual, Caption) and isinstance(expected, Caption):
        assert [t.text for t in actual.tokens] == [t.text for t in expected.tokens]
        assert actual.caption == expected.caption
        assert actual.log_probability == pytest.approx(expected.log_probability, abs=1e-4)
    elif isinstance(actual, Label) and isinstance(expected, Label):
        assert [c.label for c in actual.candidates] == [c.label for c in expected.candidates]
        ours, theirs = ([c.probability for c in a.candidates] for a in (actual, expected))
        assert ours == pytest.approx(theirs, abs=1e-4)
    elif isinstance(actual, Tagging) and isinstance(expected, Tagging):
        for ours_, theirs_ in zip(actual.sentences, expected.sentences, strict=True):
            assert [replace(w, probability=0) for w in ours_] == [replace(w, probability=0) for w in theirs_]
            assert [w.probability for w in ours_] == pytest.approx([w.probability for w in theirs_], abs=1e-4)


def caught(call: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as error:
        call()
    return error.value


@pytest.mark.parametrize("use", ["caption", "video-caption"])
def test_a_caption(toy_predictor: Predictor, use: str) -> None:
    task, inputs = USES[use]

    answer = toy_predictor.predict(task, **inputs)

    assert isinstance(answer, Caption)
    assert "".join(piece.text for piece in answer.tokens) == answer.caption
    assert 0 < len(answer.tokens) <= toy_predictor.config.text_steps
    probability = math.prod(piece.probability for piece in answer.tokens)
    # The end token counts, but has no text.
    assert math.exp(answer.log_probability) <= probability * (1 + 1e-6)
    if answer.notes:
        assert answer.notes == (f"the text was cut at {toy_predictor.config.text_steps} subwords",)
        assert math.exp(answer.log_probability) == pytest.approx(probability)


def test_beams_of_checkpoint_and_request(toy_checkpoint: Path) -> None:
    loaded = load(toy_checkpoint)
    predictor = Predictor(replace(loaded, config=replace(loaded.config, beams=3)), device="cpu")

    assert predictor.prepare("caption", image=jpeg_bytes()).rows[0].goal.beams == 3
    assert predictor.prepare("caption", image=jpeg_bytes(), beams=1).rows[0].goal.beams == 1
    assert predictor.prepare("vqa", image=jpeg_bytes(), question="What is it?").rows[0].goal.beams == 1


@pytest.mark.parametrize("beams", [0, 17])
def test_an_impossible_number_of_beams(toy_predictor: Predictor, beams: int) -> None:
    with pytest.raises(InputError, match=f"from 1 to 16, not {beams}"):
        toy_predictor.prepare("caption", image=jpeg_bytes(), beams=beams)
    with pytest.raises(InputError, match="takes no beams"):
        toy_predictor.prepare("pos", text="Go.", beams=2)


def test_the_end_token_counts_but_is_not_shown(toy_predictor: Predictor) -> None:
    job = toy_predictor.prepare("caption", image=jpeg_bytes())
    dog = toy_predictor.tokenizer.encode_output("A dog runs")
    logs = [-0.5 * (i + 1) for i in range(len(dog))]

    ended = toy_predictor.finish(job, [Decoded(dog, logs)])
    cut = toy_predictor.finish(job, [Decoded(dog[:-1], logs[:-1])])

    assert isinstance(ended, Caption)
    assert isinstance(cut, Caption)
    assert ended.caption == cut.caption == "A dog runs"
    assert ended.log_probability == pytest.approx(sum(logs))
    assert cut.log_probability == pytest.approx(sum(logs[:-1]))
    assert [t.probability for t in ended.tokens] == pytest.approx([math.exp(v) for v in logs[:-1]])
    assert ended.notes == ()
    assert cut.notes == (f"the text was cut at {len(dog) - 1} subwords",)


@pytest.mark.parametrize(
    ("use", "classes", "shown"), [("activity", ACTIVITIES, 4), ("vqa", ANSWERS, 5), ("video-qa", ANSWERS, 5)]
)
def test_a_label(toy_predictor: Predictor, use: str, classes: tuple[str, ...], shown: int) -> None:
    task, inputs = USES[use]

    answer = toy_predictor.predict(task, **inputs)

    assert isinstance(answer, Label)
    probabilities = [c.probability for c in answer.candidates]
    assert answer.label == answer.candidates[0].label
    assert {c.label for c in answer.candidates} <= set(classes)
    assert len(answer.candidates) == shown
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0) if shown == len(classes) else sum(probabilities) < 1


def test_labels_equal_the_networks_probabilities(toy_predictor: Predictor) -> None:
    job = toy_predictor.prepare("activity", video=video_bytes())
    (row,) = job.rows
    with torch.inference_mode():
        memory = toy_predictor.network.encode([("vision", "image", torch.from_numpy(row.inputs[0].value)[None])])
        scores = toy_predictor.network.cnp.decode(memory, "activity", torch.zeros(1, 1, dtype=torch.long))[0, 0].exp()

    answer = toy_predictor.finish(job, toy_predictor.run(job.rows))

    assert isinstance(answer, Label)
    for candidate in answer.candidates:
        assert candidate.probability == pytest.approx(scores[ACTIVITIES.index(candidate.label)].item(), abs=1e-5)


def test_a_video_is_encoded_as_one_of_sixteen_frames(toy_predictor: Predictor) -> None:
    for task, inputs in (USES["activity"], USES["video-caption"], USES["video-qa"]):
        (row,) = toy_predictor.prepare(task, **inputs).rows
        assert row.inputs[0].peripheral == "vision"
        assert row.inputs[0].value.shape == (16, 3, 64, 64)


def test_equal_frames_pass_the_backbone_once(toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    one, other = (generator.integers(0, 256, (3, 64, 64), dtype=np.uint8) for _ in range(2))
    alone = [toy_predictor.see(frame[None], "vision")[0] for frame in (one, other)]
    vision, seen = toy_predictor.network.peripherals["vision"], list[int]()
    features = vision.features

    def counted(frames: torch.Tensor) -> Any:
        seen.append(frames.shape[1])
        return features(frames)  # type: ignore[operator]

    monkeypatch.setattr(vision, "features", counted)
    found = toy_predictor.see(np.stack([one, other, one, one, other]), "vision")

    assert seen == [2]
    for features_of_frame, number in zip(found, (0, 1, 0, 0, 1), strict=True):
        torch.testing.assert_close(features_of_frame, alone[number])


def test_tags_of_a_text(toy_predictor: Predictor) -> None:
    text = "She didn't know.  A dog runs."

    answer = toy_predictor.predict("pos", text=text)

    assert isinstance(answer, Tagging)
    words = [[word.text for word in sentence] for sentence in answer.sentences]
    assert words == [["She", "did", "n't", "know", "."], ["A", "dog", "runs", "."]]
    for word in (word for sentence in answer.sentences for word in sentence):
        assert text[word.start : word.end] == word.text
        assert word.tag in TAGS
        assert 0 < word.probability <= 1


def test_offsets_count_from_the_start_of_each_string(toy_predictor: Predictor) -> None:
    texts = ["Go.", "  It runs. It jumps."]

    answer = toy_predictor.predict("pos", text=texts)

    assert isinstance(answer, Tagging)
    spans = [[(word.start, word.end) for word in sentence] for sentence in answer.sentences]
    assert spans == [[(0, 2), (2, 3)], [(2, 4), (5, 9), (9, 10)], [(11, 13), (14, 19), (19, 20)]]


def test_tags_of_words_that_are_split(toy_predictor: Predictor) -> None:
    one = toy_predictor.predict("pos", tokens=["New York", "is", "big", "."])
    many = toy_predictor.predict("pos", tokens=[["New York", "is", "big", "."], ["Go"]])

    assert isinstance(one, Tagging)
    assert isinstance(many, Tagging)
    assert [[w.text for w in s] for s in many.sentences] == [["New York", "is", "big", "."], ["Go"]]
    assert {(w.start, w.end) for s in many.sentences for w in s} == {(None, None)}
    assert_same(Tagging(many.sentences[:1]), one)


def test_every_way_to_give_a_picture(toy_predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(image_bytes())
    ways: list[Any] = [
        path,
        str(path),
        path.read_bytes(),
        picture(),
        np.array(picture()),
        Image.open(BytesIO(path.read_bytes())),
        decode_image(path.read_bytes()),
    ]

    rows = [toy_predictor.prepare("activity", image=way).rows[0] for way in ways]

    assert rows[0].inputs[0].value.shape == (1, 3, 64, 64)
    assert all(np.array_equal(row.inputs[0].value, rows[0].inputs[0].value) for row in rows)


def test_every_way_to_give_a_video(toy_predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(video_bytes())
    ways: list[Any] = [path, str(path), path.read_bytes(), decode_video(path.read_bytes(), 16)]

    rows = [toy_predictor.prepare("activity", video=way).rows[0] for way in ways]

    assert all(np.array_equal(row.inputs[0].value, rows[0].inputs[0].value) for row in rows)


def test_a_mixed_batch_answers_as_each_job_alone(toy_predictor: Predictor) -> None:
    jobs = [toy_predictor.prepare(task, **inputs) for task, inputs in USES.values()]
    jobs.append(toy_predictor.prepare("pos", text="Two men play tennis on a court, and a woman watches them."))
    jobs.append(toy_predictor.prepare("vqa", image=image_bytes(picture(80, 20)), question="Why?"))

    together = run_together(toy_predictor, jobs)

    for job, answer in zip(jobs, together, strict=True):
        assert_same(answer, toy_predictor.finish(job, toy_predictor.run(job.rows)))


def test_the_order_of_a_batch_does_not_matter(toy_predictor: Predictor) -> None:
    jobs = [toy_predictor.prepare(task, **inputs) for task, inputs in USES.values()]

    forwards, backwards = run_together(toy_predictor, jobs), run_together(toy_predictor, jobs[::-1])

    for one, other in zip(forwards, backwards[::-1], strict=True):
        assert_same(one, other)


def run_together(predictor: Predictor, jobs: list[Job]) -> list[Answer]:
    """Run all jobs in one batch."""
    rows = iter(predictor.run([row for job in jobs for row in job.rows]))
    return [predictor.finish(job, [next(rows) for _ in job.rows]) for job in jobs]


def test_an_empty_batch(toy_predictor: Predictor) -> None:
    assert toy_predictor.run([]) == []


def test_run_measures_durations(toy_predictor: Predictor) -> None:
    for row in toy_predictor.run(toy_predictor.prepare("pos", text="Go. Stay.").rows):
        assert row.encode_ms > 0
        assert row.decode_ms > 0


def test_prepare_is_thread_safe(toy_predictor: Predictor) -> None:
    work = [*USES.values()] * 4
    expected = [toy_predictor.predict(task, **inputs) for task, inputs in USES.values()] * 4

    with ThreadPoolExecutor(4) as pool:
        jobs = list(pool.map(lambda item: toy_predictor.prepare(item[0], **item[1]), work))
        answers = run_together(toy_predictor, jobs)

    for answer, wanted in zip(answers, expected, strict=True):
        assert_same(answer, wanted)


def test_a_note_if_fewer_texts_exist_than_n_best(toy_predictor: Predictor) -> None:
    def draw(top_p: float) -> Answer:
        return toy_predictor.predict("caption", image=picture(), n_best=3, top_p=top_p, seed=1)

    few, enough = draw(0.01), draw(1)

    assert isinstance(few, Caption)
    assert isinstance(enough, Caption)
    assert not few.alternatives
    assert few.notes[-1] == "n_best: 1 of 3, since no more different texts exist"
    assert len({enough.caption, *(other.caption for other in enough.alternatives)}) == 3
    assert not any("n_best" in note for note in enough.notes)


def test_notes_report_truncated_files(toy_predictor: Predictor) -> None:
    photo, clip = image_bytes(picture(256, 256), "JPEG"), video_bytes("mpegts", frames=96)

    picture_notes = toy_predictor.predict("activity", image=photo[: len(photo) // 2]).notes
    clip_notes = toy_predictor.predict("activity", video=clip[: len(clip) // 2 - 50]).notes

    assert picture_notes == ("the image is cut short: its missing part is grey",)
    assert clip_notes == ("the video is damaged or cut short: only its readable part was used",)
    assert toy_predictor.predict("activity", image=photo).notes == ()


PHOTO = jpeg_bytes()
LONG_TEXT = "word " * (MAX_CHARACTERS // 5) + "x"
WRONG: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "no such task": ("hat", {"text": "a"}, "unknown_task", {"task": "hat"}),
    "not in the checkpoint": ("match", {"text": "a"}, "task_not_in_checkpoint", {"tasks": ["match"]}),
    "no image": ("caption", {}, "missing_input", {"input": "image"}),
    "no text": ("pos", {}, "missing_input", {"input": "text"}),
    "no question": ("vqa", {"image": PHOTO}, "missing_input", {"input": "question"}),
    "both media": ("caption", {"image": PHOTO, "video": b"x"}, "unexpected_input", {"input": "video"}),
    "both texts": ("pos", {"text": "a", "tokens": ["a"]}, "unexpected_input", {"input": "tokens"}),
    "text for an image": ("caption", {"image": PHOTO, "text": "a"}, "unexpected_input", {"input": "text"}),
    "tokens for an image": ("vqa", {"image": PHOTO, "tokens": ["a"]}, "unexpected_input", {"input": "tokens"}),
    "question for a caption": ("caption", {"image": PHOTO, "question": "a"}, "unexpected_input", {"input": "question"}),
    "question for tags": ("pos", {"text": "a", "question": "a"}, "unexpected_input", {"input": "question"}),
    "image for tags": ("pos", {"text": "a", "image": PHOTO}, "unexpected_input", {"input": "image"}),
    "empty text": ("pos", {"text": ""}, "empty_text", {"index": 0}),
    "blank text": ("pos", {"text": ["Go.", " \n"]}, "empty_text", {"index": 1}),
    "no strings": ("pos", {"text": []}, "empty_text", {}),
    "no tokens": ("pos", {"tokens": []}, "empty_text", {"index": 0}),
    "empty sentence": ("pos", {"tokens": [["a"], []]}, "empty_text", {"index": 1}),
    "blank word": ("pos", {"tokens": [["a"], ["b", " "]]}, "empty_text", {"index": 1}),
    "a word that is none": ("pos", {"tokens": ["a", 3]}, "invalid_text", {"index": 0}),
    "words beside sentences": ("pos", {"tokens": [["a"], "bc"]}, "invalid_text", {"index": 1}),
    "half a character": ("pos", {"text": "a \ud800"}, "invalid_text", {}),
    "half a character as a word": ("pos", {"tokens": ["\ud800"]}, "invalid_text", {}),
    "half a character to ask": ("vqa", {"image": PHOTO, "question": "\ud800"}, "invalid_text", {}),
    "blank question": ("vqa", {"image": PHOTO, "question": " "}, "empty_question", {}),
    "long text": ("pos", {"text": LONG_TEXT}, "text_too_long", {"characters": 20001, "limit": 20000}),
    "long texts": ("pos", {"text": [LONG_TEXT[:-1], "x"]}, "text_too_long", {"characters": 20001, "limit": 20000}),
    "long tokens": ("pos", {"tokens": ["x" * 20001]}, "text_too_long", {"characters": 20001, "limit": 20000}),
    "long sentence": ("pos", {"tokens": ["zq"] * 40}, "text_too_long", {"limit": 64}),
    "long question": ("vqa", {"image": PHOTO, "question": "zq " * 40}, "question_too_long", {"limit": 64}),
    "no such file": ("caption", {"image": "/no/such/file.jpg"}, "unreadable_file", {}),
    "a folder": ("activity", {"video": Path("/")}, "unreadable_file", {}),
    "no image file": ("caption", {"image": b"hello"}, "not_an_image", {}),
    "empty image file": ("caption", {"image": b""}, "empty_file", {}),
    "no video file": ("caption", {"video": b"hello"}, "not_a_video", {}),
    "array of floats": ("caption", {"image": np.zeros((4, 4, 3))}, "bad_array", {}),
    "grey array": ("caption", {"image": np.zeros((4, 4), np.uint8)}, "bad_array", {}),
    "array without pixels": ("caption", {"image": np.zeros((0, 4, 3), np.uint8)}, "bad_array", {}),
    "array of four channels": ("caption", {"image": np.zeros((4, 4, 4), np.uint8)}, "bad_array", {}),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_invalid_input(toy_predictor: Predictor, name: str) -> None:
    task, inputs, code, detail = WRONG[name]

    error = caught(lambda: toy_predictor.prepare(task, **inputs))

    assert error.code == code
    assert error.message
    assert detail.items() <= error.detail.items()


def test_the_longest_sentence_there_may_be(toy_predictor: Predictor) -> None:
    # Begin and end take two of the 64 subwords.
    words = ["a"] * 62
    assert len(toy_predictor.tokenizer.encode(words).tokens) == 64

    answer = toy_predictor.predict("pos", tokens=words)

    assert isinstance(answer, Tagging)
    assert len(answer.sentences[0]) == 62
    assert caught(lambda: toy_predictor.prepare("pos", tokens=[*words, "a"])).code == "text_too_long"


def test_limits_on_media_are_the_predictors(toy_checkpoint: Path) -> None:
    predictor = Predictor.load(toy_checkpoint, device="cpu", limits=MediaLimits(image_pixels=10, frame_pixels=10))

    assert caught(lambda: predictor.prepare("caption", image=PHOTO)).code == "image_too_large"
    assert caught(lambda: predictor.prepare("caption", video=video_bytes())).code == "video_too_large"


def test_decoded_media_keep_their_notes(toy_predictor: Predictor) -> None:
    pixels = np.zeros((3, 40, 40), np.uint8)

    cut = toy_predictor.prepare("caption", image=Picture(pixels, truncated=True))
    whole = toy_predictor.prepare("caption", video=Clip(np.stack([pixels, pixels]), (0.0, 1.0), 2.0))

    assert len(cut.notes) == 1
    assert whole.notes == ()
    assert whole.rows[0].inputs[0].value.shape == (2, 3, 64, 64)


def test_metadata_of_a_predictor(toy_checkpoint: Path, toy_predictor: Predictor) -> None:
    assert (toy_predictor.name, toy_predictor.version) == ("toy", "0.0.1")
    assert toy_predictor.tasks == ["pos", "activity", "caption", "vqa"]
    assert toy_predictor.device.type == "cpu"
    assert not any(p.requires_grad for p in toy_predictor.network.parameters())
    with pytest.raises(CheckpointError, match="does not exist"):
        Predictor.load(toy_checkpoint / "nothing", device="cpu")


def test_motion_features_only_for_tasks_with_moves(toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    encode = OmniNet.encode

    def watched(network: OmniNet, inputs: Any, moves: bool = True) -> Memory:
        told.append(moves)
        return encode(network, inputs, moves)

    monkeypatch.setattr(OmniNet, "encode", watched)
    clip = video_bytes()
    jobs = [toy_predictor.prepare(task, video=clip) for task in ("activity", "caption")]
    toy_predictor.run([job.rows[0] for job in jobs])

    assert told == [True, False]
