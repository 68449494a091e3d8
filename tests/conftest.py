"""Fixtures shared by all tests."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece
import torch

from omninet.model.checkpoint import Checkpoint, save
from omninet.model.config import CNPConfig
from omninet.model.modalities.language.config import LanguageConfig
from omninet.model.modalities.vision.config import VisionConfig
from omninet.model.model_config import ModelConfig
from omninet.model.network.omninet import OmniNet
from omninet.model.network_config import OmniNetConfig
from omninet.model.predictor import Predictor
from omninet.model.tasks import TASKS

SENTENCES = """A dog runs through the green grass.
Two men play tennis on a court, and a woman watches them.
What is on the table? There are 3 cups and a lamp.
She didn't know that Mr. Smith had gone to New York in 1998.
A child in a red jacket jumps into the water."""
TAGS = ("DT", "NN", "VBZ", "IN", "JJ", ".", "NNP")
ACTIVITIES = ("bend", "jump", "run", "wave")
FIRST_TASKS = {name: TASKS[name] for name in ("pos", "activity", "caption", "vqa")}  # of the toy network
ANSWERS = ("red", "table", "two", "lamp", "chair", "yes")


# The test networks are so small that more threads only add overhead.
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_data_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep indexes of pictures away from that of the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data_home")))
        yield


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model of a handful of sentences."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES.splitlines() * 3),
        model_writer=model,
        model_type="bpe",
        vocab_size=120,
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    path.write_bytes(model.getvalue())
    return path


@pytest.fixture(scope="session")
def toy(tokenizer_file: Path) -> Checkpoint:
    """A network of a few thousand weights, drawn from a fixed seed."""
    network = OmniNetConfig(
        cnp=CNPConfig(
            d_model=32,
            encoder_layers=1,
            decoder_layers=2,
            heads=4,
            d_key=8,
            d_value=8,
            d_hidden=64,
            d_control=8,
            d_output_embedding=12,
            max_length=64,
        ),
        peripherals={
            "vision": VisionConfig(backbone="compact", size=64),
            "language": LanguageConfig(vocabulary=120, d_embedding=16, lower_case=False, step="word"),
        },
        domains=("english", "image"),
        tasks=FIRST_TASKS,
        vocabularies={"pos": len(TAGS), "activity": len(ACTIVITIES), "caption": 120, "vqa": len(ANSWERS)},
    )
    torch.manual_seed(0)
    return Checkpoint(
        ModelConfig("toy", "0.0.1", network, text_steps=12),
        OmniNet(network).eval(),
        tokenizer_file,
        {"pos": TAGS, "activity": ACTIVITIES, "vqa": ANSWERS},
        "# Toy\n\nRandom weights, for tests.\n",
    )


@pytest.fixture(scope="session")
def toy_checkpoint(toy: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy network saved as a checkpoint folder."""
    folder = tmp_path_factory.mktemp("checkpoint") / "toy"
    save(toy, folder)
    return folder


@pytest.fixture(scope="session")
def toy_predictor(toy_checkpoint: Path) -> Predictor:
    """A Predictor of the toy checkpoint."""
    return Predictor.load(toy_checkpoint, device="cpu")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data; tests that need it are skipped where it is missing."""
    path = Path(os.environ.get("OMNINET_SHARED", Path(__file__).parents[2] / "shared"))
    if not (path / "data").is_dir():
        pytest.skip(f"needs the shared data folder; {path} is not there (set OMNINET_SHARED)")
    return path
