"""Training of tasks, data sets, outputs and layers that the package does not have."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from omninet.model.checkpoint import load
from omninet.model.config import CNPConfig
from omninet.model.errors import ConfigError
from omninet.model.network import builder
from omninet.model.network.auxiliary import Auxiliary
from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.data import DataError, Example
from omninet.training.evaluate import answer_data, measure
from omninet.training.hogwild import run_hogwild, worker_specs
from omninet.training.pipeline.features import Features
from omninet.training.pipeline.views import View
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.single import run_single
from omninet.training.runtime.step import Objective, compute_gradients
from omninet.training.setup import Setup, set_up
from omninet.training.train import Options, train
from tests.training import novel
from tests.training.conftest import drawn, run_values


@pytest.fixture(autouse=True)
def _added(monkeypatch: pytest.MonkeyPatch) -> None:
    novel.add(monkeypatch)


def values(*tasks: str, **changes: Any) -> dict[str, Any]:
    """A run of some of the tasks."""
    places = {"same": "pairs", "colour": "colours", "hue": "hues", "length": "lengths", "mood": "moods"}
    folders = {"length": "ewt", "mood": "ewt"}
    runs = {
        name: {"dataset": places[name], "folder": folders.get(name, "daquar"), "batch": 4, "share": 1} for name in tasks
    }
    network = run_values()["network"]
    network["eye"] = {"kind": "vision", "backbone": "compact", "size": 32, "frames": 3}
    return run_values(**{"tasks": runs, "network": network} | changes)


def prepared(data: Path, work: Path, *tasks: str, **changes: Any) -> Setup:
    """A run of some of the tasks, ready to start."""
    return set_up(RunConfig.model_validate(values(*tasks, **changes)), data, "random", work)


def steps(folder: Path) -> list[dict[str, Any]]:
    """Return the step records of the log."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "step"]


def trained(setup: Setup, folder: Path, runner: str = "single") -> Predictor:
    """The run's last checkpoint, loaded."""
    with Run(setup, folder, runner) as run:
        done = run_single(run, Interrupt()) if runner == "single" else hogwild(run)
        assert done
        return Predictor.load(run.finish(), device="cpu")


def hogwild(run: Run) -> bool:
    return run_hogwild(run, worker_specs(run.setup.config), Interrupt())


@pytest.mark.parametrize("media", ["features", "pixels"])
def test_two_pictures_of_one_task_each_with_a_backbone_of_its_own(data: Path, work: Path, media: str) -> None:
    setup = prepared(data, work, "same", media=media)

    batch = setup.encoder.batch(drawn(setup.examples["same"][:3]))

    assert batch is not None
    assert [(name, domain) for name, domain, _ in batch.inputs] == [("vision", "image"), ("eye", "image")]
    shapes = [tuple(seen.shape) for _, _, seen in batch.inputs]
    maps, pixels = [(3, 1, 4, 512), (3, 1, 1, 512)], [(3, 1, 3, 64, 64), (3, 1, 3, 32, 32)]
    assert shapes == (maps if media == "features" else pixels)
    assert list(setup.network.config.peripherals) == ["vision", "eye"]


def test_an_example_of_which_one_picture_cannot_be_read_is_left_out(data: Path, work: Path) -> None:
    setup = prepared(data, work, "same")
    eye = setup.encoder.media["eye"]
    assert isinstance(eye, Features)
    first, *others = setup.examples["same"][:3]

    class Broken(Features):
        def get(self, path: Path, *arguments: Any) -> tuple[torch.Tensor, View]:
            if path == first.inputs["right"]:
                raise OSError("gone")
            return eye.get(path, *arguments)

    encoder = setup.encoder
    encoder.media = {**encoder.media, "eye": Broken(eye.places, {}, eye.sizes)}
    batch = encoder.batch(drawn([first, *others]))

    assert batch is not None
    readable = [e for e in others if e.inputs["right"] != first.inputs["right"]]
    assert len(batch.targets) == len(readable)
    assert all(len(seen) == len(readable) for _, _, seen in batch.inputs)


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["single", "hogwild"])
def test_two_pictures_and_a_shared_vocabulary_by_any_runner(
    data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: str
) -> None:
    monkeypatch.setattr(builder, "feed_forward", balanced)
    setup = prepared(data, work, "same", "colour", "hue", "mood", evaluation={"every": 4})

    predictor = trained(setup, tmp_path, runner)

    assert predictor.vocabularies["colours"] == ("red", "blue", "green", "pink", "white")
    assert set(predictor.vocabularies) == {"same", "colours", "mood"}
    assert set(setup.network.cnp.classifiers.keys()) == {"same", "colours", "mood"}
    for step in steps(tmp_path):
        assert step["loss"] == pytest.approx(step["loss/nll"] + step["loss/balance"], rel=1e-5)
    measured = [measure(answered, predictor=predictor) for answered in answer_data(predictor, setup.config, data)]
    assert [(m.task, m.name) for m in measured] == [(name, "top-1") for name in ("same", "colour", "hue", "mood")]


def balanced(config: CNPConfig, mixture: str) -> novel.Balanced:
    assert not mixture
    return novel.Balanced(config.d_model, config.d_hidden, config.dropout)


def test_auxiliary_losses_are_added_once(data: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "feed_forward", balanced)
    setup = prepared(data, work, "mood")
    network = setup.network.eval()
    batch = setup.encoder.batch(drawn(setup.examples["mood"][:3]))
    assert batch is not None

    result = compute_gradients(Objective(network), [batch], clip=1e9)
    both = compute_gradients(Objective(network), [batch, batch], clip=1e9)

    found = Auxiliary()
    with torch.no_grad():
        memory = network.encode(batch.inputs, False, found)
        network.cnp.decode(memory, "mood", batch.targets, auxiliary=found)
    assert result.terms["balance"] == pytest.approx(found.losses["balance"].item(), rel=1e-5)
    assert result.loss == pytest.approx(sum(result.terms.values()))
    assert both.terms == pytest.approx(result.terms)
    assert both.gradient_norm == pytest.approx(result.gradient_norm, rel=1e-4)


def test_numbers_from_the_decoders_state(data: Path, work: Path, tmp_path: Path) -> None:
    setup = prepared(data, work, "length", steps=60, evaluation={"every": 30}, factor=0.05)

    predictor = trained(setup, tmp_path)

    first, *_, last = steps(tmp_path)
    assert {"loss/squares", "loss/size"} <= first.keys()
    assert last["loss"] < 0.5 * first["loss"]
    (answered,) = answer_data(predictor, setup.config, data)
    found = measure(answered, official=True, predictor=predictor)
    assert (found.name, found.count) == ("mean error", 2)
    assert found.value == pytest.approx(answered.metrics()["mean error"])
    evaluations = [line for line in (tmp_path / "log.jsonl").read_text().splitlines() if "mean error" in line]
    assert len(evaluations) == 2


def test_a_run_without_a_backbone_is_resumed(data: Path, tmp_path: Path) -> None:
    config = RunConfig.model_validate(values("mood", steps=2))
    options = Options(data, runner="single")

    train(config, tmp_path, options)
    checkpoint = train(config.model_copy(update={"steps": 4}), tmp_path, replace(options, resume=True))

    assert [step["step"] for step in steps(tmp_path)] == [1, 2, 3, 4]
    assert Predictor.load(checkpoint, device="cpu").predict("mood", text="What !")


def test_a_run_is_resumed_with_each_of_its_backbones(data: Path, tmp_path: Path) -> None:
    config = RunConfig.model_validate(values("same", steps=2))
    options = Options(data, "random", runner="single")

    first = load(train(config, tmp_path, options)).network
    further = replace(options, resume=True, backbone=None)
    last = load(train(config.model_copy(update={"steps": 4}), tmp_path, further)).network

    kept = {name: tensor for name, tensor in first.state_dict().items() if ".backbone." in name}
    assert {name.split(".")[1] for name in kept} == {"vision", "eye"}
    assert all(torch.equal(last.state_dict()[name], tensor) for name, tensor in kept.items())


def test_tasks_that_share_a_vocabulary_keep_as_many_of_its_classes(data: Path, work: Path) -> None:
    both = values("colour", "hue")
    both["tasks"]["colour"]["classes"] = 2

    assert len(set_up(RunConfig.model_validate(both), data, "random", work).vocabularies["colours"]) == 2

    both["tasks"]["hue"]["classes"] = 3
    with pytest.raises(ConfigError, match="vocabulary colours: colour and hue share it and must have the same number"):
        RunConfig.model_validate(both)


def test_a_data_set_that_lacks_an_input_is_named(data: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(novel.Pairs, "examples", lambda _, split: [Example("same", {"right": data}, "same")])

    with pytest.raises(DataError, match="an example of task same lacks the input left"):
        prepared(data, work, "same")


def test_values_of_any_peripheral_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values("same")))

    config = RunConfig.load(path, ["network.eye.size=40", "tasks.same.batch=2"])

    assert config.network["eye"]["size"] == 40
    with pytest.raises(ConfigError, match=r"'network\.ear\.size' is unknown; similar paths are network\.eye\.size"):
        RunConfig.load(path, ["network.ear.size=40"])
