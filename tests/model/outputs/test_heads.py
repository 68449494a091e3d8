"""Outputs that read something else than log-probabilities: the decoder's hidden state, or a layer of the encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from omninet.model.checkpoint import Checkpoint, load, save
from omninet.model.decoding.goal import Goal, Reads
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.errors import ConfigError
from omninet.model.job import Job
from omninet.model.network.encoding import on_device
from omninet.model.network.omninet import OmniNet
from omninet.model.outputs import OUTPUTS, Metrics, Output, PlainAnswer, Truth
from omninet.model.outputs.head import Head, Loss, States
from omninet.model.predictor import Predictor
from omninet.model.processor import Processor
from omninet.model.tasks import PICTURE, QUESTION, Task
from tests.conftest import FIRST_TASKS
from tests.samples import picture

SIMILAR = Task("similar", (PICTURE, QUESTION), "vector", summary="a vector of a photo and a text")


@dataclass(frozen=True)
class Vector(PlainAnswer):
    """Numbers."""

    vector: tuple[float, ...]


class VectorHead(Head):
    """The mean over what is read, projected."""

    reads = ("hidden", 0)

    def __init__(self, task: Task, d_model: int) -> None:
        super().__init__(task, d_model)
        self.projection = nn.Linear(d_model, 3)

    def values(self, states: Tensor, mask: Tensor | None, reads: Reads) -> Tensor:
        real = torch.ones(states.shape[:2]) if mask is None else mask.to(states.dtype)
        projected: Tensor = self.projection((states * real[..., None]).sum(1) / real.sum(1, keepdim=True))
        return projected

    def loss(self, states: Mapping[Reads, States], targets: Tensor, mask: Tensor) -> Loss:
        terms = {str(name): self.values(each.values, each.mask, name).square().sum() for name, each in states.items()}
        return Loss(terms, torch.tensor(0))


class VectorOutput(Output):
    """A vector; ``depth`` says of which layer."""

    answers, has_vocabulary, explains = Vector, False, False
    counted: ClassVar[str] = "vectors"

    def __init__(self, reads: Reads = "hidden") -> None:
        self.wanted = reads

    @staticmethod
    def head() -> type[Head]:
        return VectorHead

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> Goal:
        return Goal(task.name, 1, reads=self.wanted)

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Vector:
        assert decoded[0].values is not None
        return Vector(tuple(map(float, decoded[0].values)), notes=job.notes)

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Any]) -> Metrics:
        return {"count": float(len(answers))}

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Vector]]:
        return "0", [Vector((0.0,))] * len(truths)


@pytest.fixture
def predictor(toy: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """The toy with a task whose answer is a vector, saved and loaded."""
    monkeypatch.setitem(OUTPUTS, "vector", VectorOutput())
    network = replace(toy.config.network, tasks={**FIRST_TASKS, "similar": SIMILAR}, controls=())
    torch.manual_seed(0)
    config = replace(toy.config, network=network)
    save(replace(toy, config=config, network=OmniNet(network).eval()), tmp_path / "toy")
    return Predictor.load(tmp_path / "toy", device="cpu")


def similar(predictor: Predictor, question: str = "What is it?") -> Job:
    return predictor.prepare("similar", image=picture(), question=question)


@pytest.mark.parametrize("reads", ["hidden", 0, 1])
def test_a_mixed_batch_answers_as_each_row_alone(
    predictor: Predictor, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OUTPUTS, "vector", VectorOutput(reads))
    jobs = [
        similar(predictor),
        predictor.prepare("caption", image=picture()),
        similar(predictor, "Is there anything else to be seen?"),
        predictor.prepare("pos", text="A dog runs."),
    ]

    decoded = predictor.run([row for job in jobs for row in job.rows])

    for job, row in zip(jobs, decoded, strict=True):
        (alone,) = predictor.run(job.rows)
        assert row.tokens == alone.tokens
        assert (row.values is None) == (alone.values is None) == (job.task != "similar")
        if row.values is not None and alone.values is not None:
            np.testing.assert_allclose(row.values, alone.values, atol=1e-5)


def test_values_are_the_heads_own(predictor: Predictor) -> None:
    job = similar(predictor)
    network = predictor.network
    with torch.inference_mode():
        memory = predictor.encode(job.rows)
        wanted = network.heads["similar"].projection(network.cnp.first_hidden(memory, "similar")[:, 0])[0]  # type: ignore[operator]

    answer = predictor.predict("similar", image=picture(), question="What is it?")

    assert predictor.output("similar").line(answer) == str(answer.vector)  # type: ignore[attr-defined]
    np.testing.assert_allclose(answer.vector, wanted.numpy(), atol=1e-6)  # type: ignore[attr-defined]


def test_the_last_layer_is_the_temporal_cache(predictor: Predictor) -> None:
    row = similar(predictor).rows
    last = predictor.config.network.cnp.encoder_layers
    with torch.inference_mode():
        memory = predictor.encode(row)
        found, mask = predictor.network.exits(on_device(predictor.network, predictor.device, row), (0, last))

        with pytest.raises(ValueError, match=f"has no layer {last + 1}"):
            predictor.network.exits(on_device(predictor.network, predictor.device, row), (last + 1,))

    torch.testing.assert_close(found[last], memory.temporal)
    assert torch.equal(mask, memory.temporal_mask)
    assert found[0].shape == found[last].shape


def test_the_schema_is_the_dataclass(predictor: Predictor) -> None:
    output, task = OUTPUTS["vector"], predictor.task("similar")

    schema = output.schema(task).model_json_schema()
    body = output.body(task, Vector((1.0, 2.0), notes=("a note",)))

    assert (schema["title"], schema["description"]) == ("VectorBody", "Numbers.")
    assert list(schema["properties"]) == ["vector"]
    assert body.model_dump() == {"vector": (1.0, 2.0)}


def test_a_vocabulary_goes_with_outputs_that_choose_from_one(monkeypatch: pytest.MonkeyPatch, toy: Checkpoint) -> None:
    monkeypatch.setitem(OUTPUTS, "vector", VectorOutput())
    for task, message in (
        (replace(SIMILAR, vocabulary="vqa"), "output vector has no vocabulary"),
        (replace(SIMILAR, output="label"), "output label needs a vocabulary"),
    ):
        with pytest.raises(ConfigError, match=message):
            replace(toy.config.network, tasks={"similar": task}, controls=())


def test_a_checkpoint_with_an_unknown_output_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    del OUTPUTS["vector"]

    known = "boxes, embedding, label, match, scene, spans, tags, text"
    with pytest.raises(Exception, match=f"no output 'vector'; known are {known}"):
        load(tmp_path / "toy")
    OUTPUTS["vector"] = VectorOutput()
    assert predictor.tasks[-1] == "similar"
