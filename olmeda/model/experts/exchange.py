"""Tokens that travel to the process where their expert is, and outputs that travel back.

Shapes: ``P`` processes, ``N`` tokens here, ``M`` visits of them, ``R`` visits received, ``E``
experts, ``O`` = E / P own ones, ``D`` width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from olmeda.model.experts.activation import Activation
from olmeda.model.experts.products import visit_experts
from olmeda.model.experts.visits import Visits


class Exchange:
    """Carries visits between the processes of ``group``; every one must take part each time."""

    def __init__(self, group: dist.ProcessGroup) -> None:
        self.group = group
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        self.mesh: DeviceMesh | None = None
        """Replicas by experts: which processes hold the same experts, and which the others."""

    def visit_experts(
        self,
        x_ND: Tensor,
        visits: Visits,
        into_OGD: Tensor,
        down_ODF: Tensor,
        activation: Activation,
    ) -> Tensor:
        """The same as ``products.visit_experts``, with experts of which only ``O`` are here."""
        sent_PO = visits.loads_E.view(self.size, -1)
        received_PO = torch.empty_like(sent_PO)
        dist.all_to_all_single(received_PO, sent_PO.contiguous(), group=self.group)
        sent, received = sent_PO.sum(1).tolist(), received_PO.sum(1).tolist()
        x_MD = x_ND.index_select(0, visits.token_M)
        x_RD = _travel(x_MD, sent, received, self.group)
        y_RD = visit_experts(x_RD, _arrived(received_PO, x_RD), into_OGD, down_ODF, activation)
        y_MD = _travel(y_RD, received, sent, self.group)
        y_MD = y_MD * visits.weight_M[:, None].to(y_MD.dtype)
        return torch.zeros_like(x_ND).index_add(0, visits.token_M, y_MD)

    def own(self, whole_E: Tensor) -> Tensor:
        """This process's part of a tensor over all experts."""
        return whole_E.chunk(self.size)[self.rank]

    def whole(self, own_O: Tensor) -> Tensor:
        """The tensor over all experts of which each process holds a part."""
        parts = [torch.empty_like(own_O) for _ in range(self.size)]
        dist.all_gather(parts, own_O.contiguous(), group=self.group)
        return torch.cat(parts)


def _arrived(received_PO: Tensor, x_RD: Tensor) -> Visits:
    """Visits as they came, process by process, in the order of the experts that are here."""
    own = received_PO.shape[1]
    expert_X = torch.arange(own, device=x_RD.device).repeat(len(received_PO))
    expert_R = expert_X.repeat_interleave(received_PO.flatten(), output_size=len(x_RD))
    order_R = torch.argsort(expert_R, stable=True)
    return Visits(order_R, x_RD.new_ones(len(x_RD)), received_PO.sum(0))


class _Travel(torch.autograd.Function):
    """Rows to the processes in order, so many to each; their gradients come back the same way."""

    @staticmethod
    def forward(
        ctx: Any, rows_MD: Tensor, sent: list[int], received: list[int], group: Any
    ) -> Tensor:
        ctx.sent, ctx.received, ctx.group = sent, received, group
        rows_RD = rows_MD.new_empty(sum(received), rows_MD.shape[1])
        dist.all_to_all_single(rows_RD, rows_MD.contiguous(), received, sent, group=group)
        return rows_RD

    @staticmethod
    def backward(ctx: Any, grad_RD: Tensor) -> tuple[Tensor, None, None, None]:
        grad_MD = grad_RD.new_empty(sum(ctx.sent), grad_RD.shape[1])
        dist.all_to_all_single(
            grad_MD, grad_RD.contiguous(), ctx.sent, ctx.received, group=ctx.group
        )
        return grad_MD, None, None, None


_travel: Callable[[Tensor, list[int], list[int], Any], Tensor] = _Travel.apply
