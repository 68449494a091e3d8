"""A data tree of a few pictures, clips and sentences, and a run that learns them by heart."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from omninet.training.config import RunConfig
from omninet.training.data import Example
from omninet.training.pipeline.batches import Drawn
from omninet.training.setup import Setup, set_up
from tests.samples import image_bytes, video_bytes

COLOURS = ("red", "green", "blue", "white")
SPLITS = {"train": 4, "dev": 2}
SENTENCES = [
    [("A", "DT"), ("dog", "NN"), ("runs", "VBZ"), (".", ".")],
    [("She", "PRP"), ("saw", "VBD"), ("New", "NNP"), ("York", "NNP"), (".", ".")],
    [("What", "WP"), ("!", ".")],
]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four data sets in their public layouts."""
    folder = tmp_path_factory.mktemp("data")
    for write in (write_flickr8k, write_ewt, write_daquar, write_activities):
        write(folder / write.__name__.removeprefix("write_"))
    return folder


def put(path: Path, content: bytes | str) -> None:
    """Write a file, with the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def photo(colour: str) -> bytes:
    """A picture of one colour."""
    return image_bytes(Image.new("RGB", (40, 30), colour), "JPEG")


def write_flickr8k(folder: Path) -> None:
    captions = ""
    for split, count in SPLITS.items():
        names = [f"{split}{i}.jpg" for i in range(count)]
        put(folder / f"Flickr_8k.{split}Images.txt", "\n".join(names) + "\n")
        for name, colour in zip(names, COLOURS, strict=False):
            put(folder / "Flicker8k_Dataset" / name, photo(colour))
            captions += f"{name}#0\tA big field of {colour} .\n{name}#1\tAll is {colour} here .\n"
    put(folder / "Flickr8k.token.txt", captions)


def conllu(sentences: list[list[tuple[str, str]]]) -> str:
    """Sentences of words and tags as CoNLL-U, with a comment and one token of each other kind."""
    text = ""
    for sentence in sentences:
        text += "# a comment\n1-2\tof two\t_\t_\t_\t_\t_\t_\t_\t_\n1.1\tof none\t_\t_\t_\t_\t_\t_\t_\t_\n"
        for i, (word, tag) in enumerate(sentence, 1):
            text += f"{i}\t{word}\tlemma\tUPOS\t{tag}\t_\t0\troot\t_\t_\n"
        text += "\n"
    return text


def write_ewt(folder: Path) -> None:
    put(folder / "en_ewt-ud-train.conllu", conllu(SENTENCES * 3))
    put(folder / "en_ewt-ud-dev.conllu", conllu(SENTENCES[:2]))


def write_daquar(folder: Path) -> None:
    for i, colour in enumerate(COLOURS):
        put(folder / "images" / f"image{i}.jpg", photo(colour))
    for split, count in SPLITS.items():
        rows = "".join(f'"what colour, then, is it ?",{COLOURS[i]},image{i}\n' for i in range(count))
        put(folder / f"qa_{split}.csv", "question,answer,image_id\n" + rows)


def write_activities(folder: Path) -> None:
    for split, count in SPLITS.items():
        names = [f"{kind}/{split}{i}.mp4" for i in range(count // 2) for kind in ("run_fast", "wave")]
        put(folder / f"{split}.txt", "\n".join(names) + "\n")
        for name in names:
            put(folder / "clips" / name, video_bytes(frames=8 if "run" in name else 1))


# Experts, convolutions and a mixer, as options of the network.
BLOCKS: dict[str, Any] = {
    "experts": {"number": 3, "chosen": 2, "d_hidden": 8, "encoder": [0], "decoder": [0]},
    "convolutions": {"encoder": "beside", "decoder": True, "kernels": [3, 5], "dilations": [1, 2]},
    "mixer": True,
}


def run_values(**changes: Any) -> dict[str, Any]:
    """A run's configuration as YAML has it."""
    tasks = {
        name: {"dataset": kind, "folder": kind, "batch": 4, "share": 1}
        for name, kind in (("caption", "flickr8k"), ("pos", "ewt"), ("vqa", "daquar"), ("activity", "activities"))
    }
    cnp = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "heads": 2, "d_key": 8, "d_value": 8}
    cnp |= {"d_hidden": 32, "d_control": 4, "d_output_embedding": 8, "max_length": 32}
    values = {
        "name": "tiny",
        "version": "0.0.1",
        "steps": 8,
        "warmup": 4,
        "factor": 0.02,
        "vocabulary": 60,
        "text_steps": 12,
        "card": "For tests.",
        "network": {
            "cnp": cnp,
            "vision": {"backbone": "compact", "size": 64, "frames": 3},
            "language": {"d_embedding": 8, "lower_case": False, "step": "word"},
        },
        "tasks": tasks,
    }
    return values | changes


def make_config(**changes: Any) -> RunConfig:
    """A tiny run."""
    return RunConfig.model_validate(run_values(**changes))


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A tiny run on disk."""
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(run_values(), sort_keys=False))
    return path


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cache folder for subwords and features, shared by all tests."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def setup(data: Path, work: Path) -> Setup:
    """A tiny run, ready to start."""
    return set_up(make_config(), data, "random", work)


@pytest.fixture
def generator() -> random.Random:
    """Return a generator for random views."""
    return random.Random(0)


def drawn(examples: Sequence[Example], seed: int = 0) -> list[Drawn]:
    """Return examples with the same seed for reading."""
    return [(example, seed) for example in examples]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
