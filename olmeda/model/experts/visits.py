"""Visits of tokens to experts, sorted by expert, so that each expert reads one stretch of rows.

Shapes: ``N`` tokens, ``K`` places of each, ``M`` visits in order of expert, ``E`` experts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from olmeda.model.experts.router import NOBODY, RouterOutput


@dataclass(frozen=True)
class Visits:
    """Who comes to whom, experts in their order and the tokens of each in theirs."""

    token_M: Tensor
    """the row of the token"""
    weight_M: Tensor
    """what the expert's output is multiplied by"""
    loads_E: Tensor
    """how many visits each expert has"""


def sort_visits(routed: RouterOutput) -> Visits:
    """The visits that a router decided."""
    experts, places = routed.probs_NE.shape[1], routed.chosen_NK.shape[1]
    chosen_M = routed.chosen_NK.flatten()
    if places == experts:  # experts may have chosen: those without one go behind
        chosen_M = torch.where(chosen_M == NOBODY, experts, chosen_M)
    order_M = torch.argsort(chosen_M, stable=True)
    loads_E = torch.bincount(chosen_M, minlength=experts)[:experts]
    if places == experts:
        order_M = order_M[: int(loads_E.sum())]
    weight_M = routed.weights_NK.flatten().index_select(0, order_M)
    return Visits(order_M // places, weight_M, loads_E)
