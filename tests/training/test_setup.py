"""From a configuration and a data folder to a run."""

from __future__ import annotations

import logging
import pickle
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from omninet.model.checkpoint import load, save
from omninet.model.errors import CheckpointError, ConfigError
from omninet.model.media.images import decode_image
from omninet.model.media.videos import decode_video
from omninet.model.modalities.vision.config import Framing, VisionConfig
from omninet.model.modalities.vision.peripheral import VisionPeripheral, build_backbone, changes
from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.data import DataError
from omninet.training.pipeline import features
from omninet.training.pipeline.features import LEAST, VIEWS, Features, compute_features, read_views
from omninet.training.pipeline.squares import fit_tensor
from omninet.training.runtime.card import write_card
from omninet.training.runtime.states import Progress
from omninet.training.setup import Setup, most_frequent, set_up
from tests.samples import image_bytes, picture
from tests.training.conftest import drawn, make_config, put, run_values


@pytest.fixture
def copy(data: Path, tmp_path: Path) -> Path:
    """A data tree that may be changed."""
    return Path(shutil.copytree(data, tmp_path / "copy"))


def vision_of(setup: Setup) -> VisionPeripheral:
    vision = setup.network.peripherals["vision"]
    assert isinstance(vision, VisionPeripheral)
    return vision


def features_of(setup: Setup) -> Features:
    media = setup.encoder.media["vision"]
    assert isinstance(media, Features)
    return media


def test_a_run_from_a_data_folder(setup: Setup) -> None:
    assert {name: len(examples) for name, examples in setup.examples.items()} == {
        "caption": 8,
        "pos": 9,
        "vqa": 4,
        "activity": 4,
    }
    assert setup.vocabularies["activity"] == ("run fast", "wave")
    assert setup.vocabularies["pos"][:2] == (".", "NNP")
    config = setup.network.config
    assert config.vocabularies == {"caption": len(setup.encoder.tokenizer), "pos": 8, "vqa": 4, "activity": 2}
    assert config.peripherals["language"].vocabulary == len(setup.encoder.tokenizer)
    assert config.cnp.d_model == 32
    media = {path for examples in setup.examples.values() for e in examples for path in e.media}
    assert set(features_of(setup).places) == media


def test_classes_are_in_the_order_of_their_frequency() -> None:
    tags = Counter(["NN", "DT", "NN", "VB", "DT", "NN", "AB"])

    assert most_frequent(tags) == ("NN", "DT", "AB", "VB")
    assert most_frequent(tags, 3) == ("NN", "DT", "AB")


def test_the_same_seed_is_the_same_network(data: Path, work: Path) -> None:
    one, same, other = (set_up(make_config(seed=seed), data, "random", work).network for seed in (3, 3, 4))

    assert torch.equal(one.cnp.task_projection.weight, same.cnp.task_projection.weight)
    assert not torch.equal(one.cnp.task_projection.weight, other.cnp.task_projection.weight)


def test_a_backbone_of_ones_own(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(7)
    backbone = build_backbone("compact")
    path = tmp_path / "backbone.safetensors"
    save_file(backbone.state_dict(), path)

    setup = set_up(make_config(), data, str(path), tmp_path)

    loaded = vision_of(setup).backbone.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in backbone.state_dict().items())


def test_the_backbone_of_a_checkpoint(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(7)
    backbone, path = build_backbone("compact"), tmp_path / "backbone.safetensors"
    save_file({f"peripherals.vision.backbone.{name}": each for name, each in backbone.state_dict().items()}, path)

    loaded = vision_of(set_up(make_config(), data, str(path), tmp_path)).backbone.state_dict()

    assert all(torch.equal(loaded[name], tensor) for name, tensor in backbone.state_dict().items())


def test_a_backbone_that_does_not_fit(data: Path, work: Path, tmp_path: Path) -> None:
    path = tmp_path / "backbone.safetensors"
    save_file({"hat": torch.zeros(1)}, path)

    with pytest.raises(CheckpointError, match="does not fit its configuration: missing stem"):
        set_up(make_config(), data, str(path), work)


def test_features_are_those_of_the_network(setup: Setup) -> None:
    vision = vision_of(setup)
    for task, clip in (("caption", False), ("activity", True)):
        (path,) = setup.examples[task][0].media
        views = read_views(path, vision.config, clip)
        with torch.no_grad():
            expected = vision.features(views)
        stored = torch.stack([features_of(setup).view(path, number) for number in range(VIEWS)])
        torch.testing.assert_close(stored, expected, rtol=2e-3, atol=1e-3)
        assert stored.shape == (VIEWS, (3 if clip else 1), 4, 512)


def test_the_first_view_is_what_serving_sees(setup: Setup) -> None:
    vision = vision_of(setup).config
    photo, clip = (setup.examples[task][0].media[0] for task in ("caption", "activity"))

    views = read_views(photo, vision, False)
    pixels = torch.from_numpy(decode_image(photo.read_bytes()).pixels)
    assert torch.equal(views[0], fit_tensor(pixels[None], vision.image, vision.size))
    assert torch.equal(views[1], views[0].flip(-1))
    assert torch.equal(read_views(photo, vision, False), views)
    moving = read_views(clip, vision, True)
    frames = torch.from_numpy(decode_video(clip.read_bytes(), vision.frames).frames)
    assert torch.equal(moving[0], fit_tensor(frames, vision.video, vision.size))


def test_the_other_views_show_most_of_the_picture(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[int, ...]] = []
    vision = replace(vision_of(setup).config, size=20)

    def note(frames: Tensor, framing: Framing, size: int) -> Tensor:
        shown.append(tuple(frames.shape[-2:]))
        return fit_tensor(frames, framing, size)

    monkeypatch.setattr(features, "fit_tensor", note)
    for i in range(20):
        path = tmp_path / f"{i}.png"
        path.write_bytes(image_bytes(picture(100, 80)))
        assert read_views(path, vision, False).shape == (VIEWS, 1, 3, 20, 20)

    wholes, regions = shown[::3], shown[1::3] + shown[2::3]
    assert set(wholes) == {(80, 100)}
    assert all(LEAST * 0.95 <= h * w / 8000 <= 1 for h, w in regions)
    assert len(set(regions)) > 20


def test_features_are_computed_once(data: Path, work: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(features, "_write_features", fail)

    again = set_up(make_config(), data, "random", work)

    assert features_of(again).places == features_of(setup).places


def test_channels_and_their_changes_are_standardised_over_training_files(data: Path, work: Path) -> None:
    network = run_values()["network"]
    network["vision"] |= {"standardise": True, "motion": True}

    setup = set_up(make_config(network=network), data, "random", work)

    vision, features = vision_of(setup), features_of(setup)
    assert vision.motion is not None
    clips = torch.stack([features.view(e.media[0], 0) for e in setup.examples["activity"]])
    seen = torch.cat([features.view(path, 0)[:1] for path in features.places])
    for found in (vision.standardised(seen), vision.motion.standardise(changes(vision.standardised(clips)))):
        flat = found.flatten(0, -2)
        assert flat.mean(0).abs().median() < 0.02
        assert flat.std(0).median() == pytest.approx(1, abs=0.05)


def test_unfinished_features_are_not_used(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [e.image for e in setup.examples["vqa"] if e.image]
    seen: list[Path] = []

    def interrupt(path: Path, config: VisionConfig, clip: bool) -> torch.Tensor:
        seen.append(path)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return read_views(path, config, clip)[0]

    with monkeypatch.context() as patched:
        patched.setattr(features, "_read", interrupt)
        with pytest.raises(KeyboardInterrupt):
            compute_features(vision_of(setup), paths, False, tmp_path)
    found = compute_features(vision_of(setup), paths, False, tmp_path)

    assert list(found.places) == paths
    assert all(found.view(path, 0).any() for path in paths)


def test_a_file_that_is_missing_or_broken_has_no_features(setup: Setup, tmp_path: Path) -> None:
    missing, broken = tmp_path / "missing.jpg", tmp_path / "broken.jpg"
    broken.write_bytes(b"hello")
    good = [e.image for e in setup.examples["vqa"] if e.image]

    found = compute_features(vision_of(setup), [broken, *good, missing], False, tmp_path)

    assert list(found.places) == good
    assert "No such file" in found.unreadable[missing]
    assert "the file is not a readable image" in found.unreadable[broken]
    assert torch.equal(found.view(good[0], 0), features_of(setup).view(good[0], 0))
    assert compute_features(vision_of(setup), [broken, *good, missing], False, tmp_path) == found
    with pytest.raises(DataError, match=r"none of 2 files can be read; the first, .*broken\.jpg: the file is not a"):
        compute_features(vision_of(setup), [broken, missing], False, tmp_path)


def test_a_broken_picture_is_left_out_and_too_many_are_an_error(
    copy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(copy / "flickr8k" / "Flicker8k_Dataset" / "train1.jpg", b"hello")
    with caplog.at_level(logging.INFO, "omninet.training.setup"):
        setup = set_up(make_config(max_skipped=0.3), copy, "random", tmp_path)

    assert len(setup.examples["caption"]) == 6
    assert "caption: 6 examples; skipped: 2 unreadable, 0 too long, 0 with rare labels" in caplog.messages
    with pytest.raises(DataError, match=r"caption: 1 of 4 files cannot be read, more than the share 0.2 .*train1\.jpg"):
        set_up(make_config(max_skipped=0.2), copy, "random", tmp_path)


def test_only_the_most_frequent_labels(data: Path, work: Path) -> None:
    values = run_values()
    values["tasks"]["vqa"] |= {"classes": 3}

    setup = set_up(RunConfig.model_validate(values), data, "random", work)

    assert len(setup.vocabularies["vqa"]) == 3
    assert sorted(e.answer for e in setup.examples["vqa"]) == sorted(setup.vocabularies["vqa"])


def test_a_limit_takes_examples_from_all_over(data: Path, work: Path, setup: Setup) -> None:
    values = run_values()
    values["tasks"]["vqa"] |= {"limit": 2}

    examples = set_up(RunConfig.model_validate(values), data, "random", work).examples

    assert examples["vqa"] == setup.examples["vqa"][::2]
    assert examples["pos"] == setup.examples["pos"]


def test_several_data_sets_of_a_task(copy: Path, tmp_path: Path, setup: Setup) -> None:
    shutil.copytree(copy / "daquar", copy / "other")
    values = run_values()
    values["tasks"]["vqa"] |= {"limit": 2, "more": [{"dataset": "daquar", "folder": "other", "limit": 1}]}

    both = set_up(RunConfig.model_validate(values), copy, "random", tmp_path)

    first, second, further = both.examples["vqa"]
    assert [e.answer for e in (first, second, further)] == ["red", "blue", "red"]
    assert further.image == copy / "other" / "images" / "image0.jpg"
    assert both.vocabularies["vqa"] == ("red", "blue")
    assert further.image in features_of(both).places
    card = write_card(both, Progress({task: [1] for task in both.examples}), "One process")
    assert "| vqa | daquar, daquar | 3 | 1 | 4 |" in card

    put(copy / "other" / "qa_train.csv", "question,answer,image_id\n")
    with pytest.raises(DataError, match=r"other holds no training example"):
        set_up(RunConfig.model_validate(values), copy, "random", tmp_path)


def test_tasks_are_mixed_by_what_can_be_used(data: Path, work: Path) -> None:
    tasks = run_values()["tasks"]
    tasks["caption"]["limit"] = 1  # a photo with two captions

    config = set_up(make_config(mixing="proportional", tasks=tasks), data, "random", work).config

    assert {name: task.share * task.batch for name, task in config.tasks.items()} == {
        "caption": 2,
        "pos": 9,
        "vqa": 4,
        "activity": 4,
    }


def test_the_arguments_of_a_worker_can_be_pickled(setup: Setup) -> None:
    example = setup.examples["caption"][0]

    encoder = pickle.loads(pickle.dumps(setup.encoder))

    one, other = (e.batch(drawn([example])) for e in (setup.encoder, encoder))
    assert one
    assert other
    assert torch.equal(one.inputs[0][2], other.inputs[0][2])
    assert torch.equal(one.targets, other.targets)
    assert len(pickle.dumps(setup.encoder)) < 20_000  # features stay in their file


def test_examples_that_are_too_long_are_left_out(copy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token_file = copy / "flickr8k" / "Flickr8k.token.txt"
    token_file.write_text(token_file.read_text() + "train0.jpg#2\t" + "zq xj " * 40 + "\n")
    with caplog.at_level(logging.INFO, "omninet.training.setup"):
        setup = set_up(make_config(), copy, "random", tmp_path)

    assert len(setup.examples["caption"]) == 8
    assert "caption: 8 examples; skipped: 0 unreadable, 1 too long, 0 with rare labels" in caplog.messages
    assert "pos: 9 examples; skipped: 0 unreadable, 0 too long, 0 with rare labels" in caplog.messages


@pytest.mark.parametrize(("kind", "name"), [("activities", "train.txt"), ("ewt", "en_ewt-ud-train.conllu")])
def test_a_split_without_examples_is_named(copy: Path, tmp_path: Path, kind: str, name: str) -> None:
    put(copy / kind / name, "\n")

    with pytest.raises(DataError, match=str(copy / kind)):
        set_up(make_config(), copy, "random", tmp_path)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"smell": {}}, "network.smell has no known modality: set its kind to one of vision, language"),
        ({"cnp": {"d_modle": 3}}, "network.cnp.d_modle is unknown"),
        ({"vision": {"size": 0}}, "size must be a whole number above 0"),
        ({"vision": {"backbone": "hat"}}, "'hat' is none of 'compact', 'chain', 'residual', nor"),
    ],
)
def test_an_invalid_network_is_refused(data: Path, work: Path, network: dict[str, Any], message: str) -> None:
    values = run_values()["network"] | network

    with pytest.raises(ConfigError, match=message):
        set_up(make_config(network=values), data, "random", work)


def test_a_run_without_text_fits_no_subwords(data: Path, work: Path, tmp_path: Path) -> None:
    tasks = {"activity": run_values()["tasks"]["activity"]}

    setup = set_up(make_config(tasks=tasks), data, "random", work)

    assert set(setup.network.config.peripherals) == {"vision"}
    assert setup.network.config.domains == ("image",)
    save(setup.checkpoint("# Clips\n"), tmp_path / "checkpoint")
    (path,) = setup.examples["activity"][0].media
    answer = Predictor.load(tmp_path / "checkpoint", device="cpu").predict("activity", video=path)
    assert answer.label in {"run fast", "wave"}  # type: ignore[attr-defined]


def test_a_run_without_pictures_needs_no_backbone(data: Path, work: Path, tmp_path: Path) -> None:
    tasks = {"pos": run_values()["tasks"]["pos"]}

    setup = set_up(make_config(tasks=tasks), data, None, work)

    assert set(setup.network.config.peripherals) == {"language"}
    assert setup.encoder.media == {}
    save(setup.checkpoint("# Words\n"), tmp_path / "checkpoint")
    assert Predictor.load(tmp_path / "checkpoint", device="cpu").predict("pos", text="A dog.")


def test_the_checkpoint_of_a_run(setup: Setup, tmp_path: Path) -> None:
    card = write_card(
        setup, Progress({"caption": [3, 2], "pos": [1], "vqa": [1], "activity": [1]}, seconds=90.0), "One process"
    )

    save(setup.checkpoint(card), tmp_path / "checkpoint")

    loaded = load(tmp_path / "checkpoint")
    assert (loaded.config.name, loaded.config.version, loaded.config.text_steps) == ("tiny", "0.0.1", 12)
    assert loaded.vocabularies == setup.vocabularies
    assert loaded.network.config == setup.network.config
    lines = loaded.card.splitlines()
    assert lines[0] == "# tiny 0.0.1"
    assert lines[2] == "For tests."
    assert "| caption | flickr8k | 8 | 5 | 4 |" in lines
    assert "| activity | activities | 4 | 1 | 4 |" in lines
    assert "One process, seed 0, 8 steps of Adam in 2 minutes" in loaded.card
    assert f"{sum(p.numel() for p in setup.network.parameters()):,} parameters" in loaded.card
    assert loaded.licence == ""


def test_the_licence_of_a_run_is_in_its_checkpoint(setup: Setup, tmp_path: Path) -> None:
    licensed = replace(setup, config=setup.config.model_copy(update={"licence": "Research only\n"}))

    save(licensed.checkpoint("# Tiny\n"), tmp_path / "checkpoint")

    assert load(tmp_path / "checkpoint").licence == "Research only\n"
