"""The run of the twelve data sets of 12-in-1, on small made-up files in their layouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.evaluate import answer_data
from omninet.training.pipeline.streams import stream
from omninet.training.runtime.step import Objective, compute_gradients
from omninet.training.setup import Setup, set_up
from tests.training.data.box_trees import BOX_WRITERS
from tests.training.data.pair_trees import write_karpathy, write_nlvr2, write_snli_ve
from tests.training.data.question_trees import write_gqa, write_visual_genome_qa
from tests.training.data.trees import write_vqa2

TWELVE = Path(__file__).parents[2] / "training" / "configs" / "twelve.yaml"
TASKS = ("vqa", "gqa", "genome_qa", "embed", "ground", "pair", "entailment")
SMALL = (
    *("subwords=trained", "vocabulary=130", "text_steps=12", "steps=30", "media=features"),
    "network.cnp={d_model: 32, encoder_layers: 1, decoder_layers: 1, heads: 2, d_key: 8, d_value: 8, d_hidden: 32, "
    "d_control: 4, d_output_embedding: 8, max_length: 64}",
    "network.vision={backbone: compact, size: 64}",
    "network.language={d_embedding: 8}",
    *(f"tasks.{task}.batch=4" for task in TASKS),
)


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all twelve data sets."""
    folder = tmp_path_factory.mktemp("twelve")
    write_vqa2(folder / "coco")
    write_karpathy(folder / "coco", "coco", "val2014")
    write_karpathy(folder / "flickr30k", "flickr30k", "flickr30k_images")
    write_gqa(folder / "gqa")
    write_visual_genome_qa(folder / "visual_genome")
    for name in ("refcoco", "refcoco_plus", "refcocog", "visual7w", "guesswhat"):
        BOX_WRITERS[name](folder / name)
    write_nlvr2(folder / "nlvr2")
    write_snli_ve(folder / "snli_ve")
    return folder


@pytest.fixture(scope="module")
def setup(twelve: Path, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    config = RunConfig.load(TWELVE, [*SMALL, "clean=false"])  # the made-up photos are copies of four colours
    return set_up(config, twelve, "random", tmp_path_factory.mktemp("work"))


def test_the_run_names_twelve_data_sets_and_stops_and_goes() -> None:
    config = RunConfig.load(TWELVE)

    assert tuple(config.tasks) == TASKS
    assert len([source for run in config.tasks.values() for source in run.sources]) == 12
    assert (config.scheduler, config.clean) == ("stop_and_go", True)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_takes_a_step(setup: Setup, task: str) -> None:
    batches = stream(setup.examples[task], 4, setup.encoder, seed=0)

    result = compute_gradients(Objective(setup.network), [next(batches)], clip=1.0)

    assert result.finite
    assert result.samples > 0


def test_questions_of_vqa_have_soft_targets_and_share_answers_with_visual_genome(setup: Setup) -> None:
    batches = {task: next(stream(setup.examples[task], 4, setup.encoder, seed=0)) for task in ("vqa", "genome_qa")}

    assert batches["vqa"].shares is not None
    assert batches["genome_qa"].shares is None
    assert set(setup.vocabularies["vqa"]) == {"white", "blue", "a dog"}
    assert setup.vocabularies["gqa"] == ("yes",)


def test_every_data_set_is_evaluated(setup: Setup) -> None:
    predictor = Predictor(setup.snapshot(""), device="cpu", precision="float32")

    answered = list(answer_data(predictor, setup.config, setup.data, bar=False))

    assert len(answered) == 12
    measures = {found.key: next(iter(found.metrics())) for found in answered if not found.is_further}
    assert measures["vqa"] == "VQA accuracy"
    assert measures.keys() == {
        "vqa",
        "vqa/gqa",
        "vqa/genome_qa",
        "embed",
        "ground",
        "verify/entailment",
        "verify/truth/pair",
    }
