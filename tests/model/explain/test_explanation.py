"""What an answer says that it looked at is what the network looked at."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from omninet.model import processor
from omninet.model.errors import InputError
from omninet.model.explain.explanation import Attention, Explanation
from omninet.model.fast.layers import QuickDecoderLayer
from omninet.model.job import Job
from omninet.model.modalities.vision.config import Framed
from omninet.model.network.layers import DecoderLayer, LayerAttention
from omninet.model.outputs.label.answer import Label
from omninet.model.predictor import Predictor
from tests.model.networks import TEXT, VIDEO, small_cnp
from tests.model.networks import Row as Inputs
from tests.model.reference import Reference, Vector
from tests.samples import jpeg_bytes, video_bytes

QUESTION = "What is it?"
FRAMED = Framed("squash", 1.0, "middle")


class Recording(Reference):
    """The reference, which remembers the weights of its last position, by the names of its attentions."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.seen: dict[str, list[Vector]] = {}

    def attention(
        self, name: str, x: Vector, others: list[Vector], gates: list[Vector] | None = None
    ) -> tuple[Vector, list[Vector]]:
        result, weights = super().attention(name, x, others, gates)
        self.seen[name] = weights
        return result, weights


@pytest.mark.parametrize("gate", ["paper", "official", "normalised"])
def test_attention_equals_the_reference(gate: str) -> None:
    cnp = small_cnp(gate=gate).requires_grad_(False)
    row, tokens = Inputs((VIDEO, TEXT)), [3, 1, 4]
    reference = Recording(cnp)
    caches = reference.encode([(x.domain, x.values()[0].numpy()) for x in row.inputs])

    _, layers = cnp.decoder(cnp.decoder_inputs(row.encode(cnp), "caption", torch.tensor([tokens])), row.encode(cnp))

    for n in range(len(tokens) + 1):
        reference.next_output(caches, "caption", tokens[:n])
        for i, layer in enumerate(layers):
            assert layer.spatial is not None
            temporal, spatial = torch.softmax(layer.temporal, -1)[0, :, n], layer.spatial[0, :, n]
            np.testing.assert_allclose(temporal, reference.seen[f"decoder.layers.{i}.temporal_attention"], atol=1e-10)
            np.testing.assert_allclose(spatial, reference.seen[f"decoder.layers.{i}.spatial_attention"], atol=1e-10)


def explained(predictor: Predictor, task: str, **inputs: object) -> tuple[Job, Explanation]:
    job = predictor.prepare(task, explain="layers", **inputs)
    answer = predictor.finish(job, predictor.run(job.rows))
    explanation = getattr(answer, "explanation", None)
    assert isinstance(explanation, Explanation)
    return job, explanation


def test_attention_equals_that_of_decoding(toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, as captions are written, not all at once."""
    seen: list[LayerAttention] = []
    forward = DecoderLayer.forward

    def recorded(self: DecoderLayer, *arguments: object) -> tuple[torch.Tensor, LayerAttention]:
        x, attention = forward(self, *arguments)  # type: ignore[arg-type]
        seen.append(attention)
        return x, attention

    monkeypatch.setattr(DecoderLayer, "forward", recorded)
    monkeypatch.setattr(QuickDecoderLayer, "step", DecoderLayer.step)  # quick steps return no attention
    job = toy_predictor.prepare("caption", video=video_bytes(), beams=1)
    (decoded,) = toy_predictor.run(job.rows)
    layers = len(toy_predictor.network.cnp.decoder.layers)
    steps = [torch.stack([torch.softmax(a.temporal[0, :, 0], -1) for a in seen[i::layers]]) for i in range(layers)]
    cells = [torch.stack([a.spatial[0, :, 0] for a in seen[i::layers] if a.spatial is not None]) for i in range(layers)]
    seen.clear()

    _, explanation = explained(toy_predictor, "caption", video=video_bytes(), beams=1)

    attention = explanation.attention
    assert attention.temporal.shape[2] == len(decoded.tokens)
    np.testing.assert_allclose(attention.temporal, torch.stack(steps).transpose(1, 2), atol=1e-5)
    assert attention.spatial is not None
    np.testing.assert_allclose(attention.spatial, torch.stack(cells).transpose(1, 2), atol=1e-5)


def test_explanation_of_a_caption(toy_predictor: Predictor) -> None:
    job, explanation = explained(toy_predictor, "caption", image=jpeg_bytes(), max_length=5)

    answer = toy_predictor.finish(job, toy_predictor.run(job.rows))
    assert "".join(explanation.outputs) == toy_predictor.output("caption").line(answer)
    assert (explanation.frames, explanation.times, explanation.words) == (1, (), ())
    cells = explanation.cells()
    assert cells.shape == (len(explanation.outputs), 1, *explanation.grid)
    assert all(total == pytest.approx(1) or total == 0 for total in cells.sum((1, 2, 3)))
    np.testing.assert_allclose(explanation.steps(), 1, atol=1e-5)


def test_explanation_of_an_answer_about_a_video(toy_predictor: Predictor) -> None:
    job, explanation = explained(toy_predictor, "vqa", video=video_bytes(), question=QUESTION)

    assert explanation.frames == len(explanation.times) == job.rows[0].inputs[0].frames
    assert [word.strip() for word in explanation.words if word] == QUESTION.split()
    assert explanation.steps().shape == (1, explanation.frames + len(explanation.words))
    np.testing.assert_allclose(explanation.steps().sum(1), 1, atol=1e-5)


def test_the_mean_has_one_layer_and_one_head(toy_predictor: Predictor) -> None:
    whole, mean = (
        toy_predictor.predict("activity", video=video_bytes(), explain=explain) for explain in ("layers", "mean")
    )

    assert isinstance(whole, Label)
    assert isinstance(mean, Label)
    assert whole.explanation is not None
    assert mean.explanation is not None
    assert mean.explanation.attention.temporal.shape[:2] == (1, 1)
    assert mean.explanation.numbers < whole.explanation.numbers
    np.testing.assert_allclose(mean.explanation.cells(), whole.explanation.cells(), atol=1e-6)
    np.testing.assert_allclose(mean.explanation.steps(), whole.explanation.steps(), atol=1e-6)


def test_an_explanation_that_is_too_large(toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "MAX_NUMBERS", 1000)

    with pytest.raises(InputError, match="at most 1000 are sent: lower max_length") as caught:
        toy_predictor.predict("caption", video=video_bytes(), explain="layers")

    assert caught.value.code == "explanation_too_large"


def test_without_explain_there_is_no_explanation(toy_predictor: Predictor) -> None:
    job = toy_predictor.prepare("caption", image=jpeg_bytes())
    (decoded,) = toy_predictor.run(job.rows)

    assert decoded.attention is None
    assert toy_predictor.finish(job, [decoded]).explanation is None


def made(layers: int = 2, heads: int = 3, outputs: int = 2, frames: int = 2) -> Explanation:
    random = np.random.default_rng(0)
    spatial = random.random((layers, heads, outputs + 1, 4 * frames), np.float32)
    temporal = random.random((layers, heads, outputs + 1, frames + 1), np.float32)
    attention = Attention(temporal, spatial, random.random((outputs + 1, 4 * frames), np.float32), 12.345, (2, 2))
    return Explanation(("a", "b"), frames, (0.5, 1.5), ("what",), FRAMED, attention)


def test_to_dict() -> None:
    explanation = made()

    facts = json.loads(json.dumps(explanation.to_dict(layers=True)))

    assert (facts["grid"], facts["times"], facts["words"]) == ([2, 2], [0.5, 1.5], ["what"])
    assert [token["text"] for token in facts["tokens"]] == ["a", "b"]
    spatial = explanation.attention.spatial
    assert spatial is not None
    second = facts["tokens"][1]
    assert (facts["method"], facts["milliseconds"]) == ("occlusion", 12.35)
    relevance = explanation.attention.relevance
    assert relevance is not None
    np.testing.assert_allclose(second["cells"], relevance[1].reshape(2, 2, 2), atol=1e-5)
    np.testing.assert_allclose(second["frames"] + second["words"], explanation.steps()[1], atol=1e-5)
    np.testing.assert_allclose(facts["layers"]["cells"], spatial[:, :, :2].reshape(2, 3, 2, 2, 2, 2), atol=1e-5)
    np.testing.assert_allclose(facts["layers"]["steps"], explanation.attention.temporal[:, :, :2], atol=1e-5)
    assert "layers" not in explanation.to_dict()


def test_without_cells() -> None:
    explanation = Explanation(("a",), 1, (), (), FRAMED, Attention(np.ones((1, 1, 1, 1), np.float32), None))

    assert explanation.to_dict(layers=True)["layers"]["cells"] is None
    assert explanation.cells().shape == (1, 1, 0, 0)
