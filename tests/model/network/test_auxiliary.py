"""Auxiliary training losses of layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omninet.model.network.auxiliary import Auxiliary
from omninet.model.network.cnp import CNP
from omninet.model.network.layers import FeedForward
from tests.model.networks import IMAGE, TEXT, Row, small_cnp


class Loaded(FeedForward):
    """A feed-forward block whose auxiliary loss is its number of rows."""

    def forward(self, x: Tensor, rows: Tensor | None = None, auxiliary: Auxiliary | None = None) -> Tensor:
        if auxiliary is not None:
            auxiliary.add_loss("rows", torch.tensor(float(len(x))))
        return super().forward(x, rows, auxiliary)


def loaded() -> CNP:
    """A network whose feed-forward blocks all add an auxiliary loss."""
    cnp = small_cnp()
    for layer in (*cnp.temporal_encoder.layers, *cnp.decoder.layers):
        assert isinstance(layer, nn.Module)
        block = Loaded(12, 16, 0.0).double().eval()
        block.load_state_dict(layer.feed_forward.state_dict())  # type: ignore[union-attr]
        layer.feed_forward = block
    return cnp


def test_terms_of_the_encoder_and_the_decoder_are_summed() -> None:
    cnp, found = loaded(), Auxiliary()
    memory = cnp.encode(TEXT.values(), TEXT.domain, auxiliary=found)
    cnp.encode(IMAGE.values(), IMAGE.domain, memory, auxiliary=found)
    assert found.losses == {"rows": 2 * (4 + 1)}  # two layers, each with four steps of a text and one of an image

    cnp.decode(memory, "caption", torch.tensor([[1, 2, 3]]), auxiliary=found)
    assert found.losses == {"rows": 2 * (4 + 1) + 2 * 3}

    cnp.first_hidden(memory, "vqa", found)
    assert found.losses == {"rows": 2 * (4 + 1) + 2 * 3 + 2}


def test_losses_need_not_be_collected() -> None:
    cnp, plain = loaded(), small_cnp()
    targets = torch.tensor([[1, 2, 3]])

    torch.testing.assert_close(
        cnp.decode(Row((TEXT,)).encode(cnp), "caption", targets),
        plain.decode(Row((TEXT,)).encode(plain), "caption", targets),
        rtol=0,
        atol=0,
    )
