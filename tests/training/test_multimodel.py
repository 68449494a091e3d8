"""The run of One Model To Learn Them All, on small made-up files in the layouts of its data sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.model.modalities.residual import ResidualConvolution
from omninet.model.network.convolutions import ConvolutionBlock
from omninet.model.network.encoder_layers import ConvolutionLayer
from omninet.model.network.experts import Experts
from omninet.training.config import RunConfig
from omninet.training.pipeline.streams import stream
from omninet.training.runtime.step import Objective, compute_gradients
from omninet.training.setup import Setup, set_up
from tests.training.data.trees import write_coco, write_ilsvrc2012, write_librispeech, write_penn, write_wmt14

MULTIMODEL = Path(__file__).parents[2] / "training" / "configs" / "multimodel.yaml"
TASKS = ("transcribe", "imagenet", "caption", "parse", "english_german", "german_english")
WIDTHS = "d_model=32 heads=2 d_key=8 d_value=8 d_hidden=32 d_control=4 d_output_embedding=8 max_length=64"
SMALL = (
    *("vocabulary=70", "text_steps=12", "steps=30"),
    *(f"network.cnp.{width}" for width in WIDTHS.split()),
    *("network.cnp.experts.number=6", "network.cnp.experts.d_hidden=16"),
    *("network.vision.size=64", "network.language.d_embedding=8", "network.german.d_embedding=8"),
    *(f"tasks.{task}.batch=2" for task in TASKS),
)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    folder = tmp_path_factory.mktemp("multimodel")
    write_librispeech(folder / "librispeech")
    write_ilsvrc2012(folder / "imagenet")
    write_coco(folder / "coco")
    write_penn(folder / "penn")
    write_wmt14(folder / "wmt14")
    return set_up(RunConfig.load(MULTIMODEL, SMALL), folder, "random", tmp_path_factory.mktemp("work"))


def test_it_has_the_papers_shape(setup: Setup) -> None:
    cnp = setup.network.cnp

    assert tuple(setup.config.tasks) == TASKS
    assert [type(layer) for layer in cnp.temporal_encoder.layers] == [ConvolutionLayer] * 6
    assert len(cnp.decoder.mixers) == 1
    names = [name for name, module in setup.network.named_modules() if isinstance(module, ConvolutionBlock)]
    assert [f"cnp.decoder.layers.{i}.convolutions.0" in names for i in range(4)] == [True] * 4
    mixtures = [module for module in cnp.modules() if isinstance(module, Experts)]
    assert [(mixture.name, mixture.chosen) for mixture in mixtures] == [("encoder 2", 4), ("decoder 1", 4)]
    blocks = [module for module in setup.network.modules() if isinstance(module, ResidualConvolution)]
    assert len(blocks) == 8 + 3  # of recordings, of pictures


@pytest.mark.parametrize("task", TASKS)
def test_every_task_takes_a_step(setup: Setup, task: str) -> None:
    batches = stream(setup.examples[task], 2, setup.encoder, seed=0)

    result = compute_gradients(Objective(setup.network.train()), [next(batches)], clip=1.0)

    assert result.finite
    assert result.loads.keys() == {"encoder 2", "decoder 1"}
