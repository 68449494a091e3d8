"""Optimiser of the distillation: Muon for convolutions that mix channels, AdamW for all other parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from omninet.model.errors import OmniNetError


class Optimiser:
    """Muon (Jordan et al. 2024: updates along the orthogonalised momentum) for kernels, AdamW for the rest.

    torch's Muon requires matrices, so each kernel is viewed as one, with a row per output channel. The views share
    memory with the kernels: the network must already be on its device and in channels-last format.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.kernels = [p for p in network.parameters() if _is_kernel(p)]
        self.matrices = [_matrix(kernel.detach()).requires_grad_() for kernel in self.kernels]
        others = [p for p in network.parameters() if not _is_kernel(p)]
        self.muon = _muon(self.matrices, decay)
        self.adam = AdamW(others, weight_decay=decay)

    def step(self, rate: float) -> None:
        """Update the parameters with their gradients, then clear the gradients."""
        for kernel, matrix in zip(self.kernels, self.matrices, strict=True):
            if kernel.grad is not None:
                matrix.grad = _matrix(kernel.grad.contiguous(memory_format=torch.channels_last))
                kernel.grad = None
        for optimiser in (self.muon, self.adam):
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad()

    def tensors(self) -> dict[str, Tensor]:
        """Return the optimisers' states by name, for saving."""
        return {f"{name}.{key}": value for name, _, state in self._states() for key, value in state.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Load states returned by ``tensors``."""
        for name, parameter, state in self._states():
            mine = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
            # AdamW keeps its step counter on the CPU.
            state.update({key: value if key == "step" else value.to(parameter.device) for key, value in mine.items()})

    def _states(self) -> Iterator[tuple[str, Tensor, dict[str, Tensor]]]:
        for kind, optimiser in (("muon", self.muon), ("adam", self.adam)):
            for i, parameter in enumerate(p for group in optimiser.param_groups for p in group["params"]):
                yield f"{kind}.{i}", parameter, optimiser.state[parameter]


def _is_kernel(parameter: Tensor) -> bool:
    """Return whether a parameter is a convolution kernel that mixes channels; Muon does not suit depthwise ones."""
    return parameter.dim() == 4 and parameter.shape[1] > 1


def _matrix(kernel: Tensor) -> Tensor:
    """View a channels-last kernel (out, in, h, w) as a matrix (out, h w in) that shares its memory."""
    return kernel.permute(0, 2, 3, 1).view(len(kernel), -1)


def _muon(matrices: Sequence[Tensor], decay: float) -> Optimizer:
    try:
        from torch.optim import Muon
    except ImportError as error:
        raise OmniNetError(
            f"distillation needs torch.optim.Muon, which torch 2.9 or later has; this is {torch.__version__}"
        ) from error
    return Muon(matrices, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
