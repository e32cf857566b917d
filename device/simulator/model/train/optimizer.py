"""Muon for the layers' matrices, Adam for everything else."""

import math
from collections import defaultdict

import torch

ADAM_RATE = 2e-3
MUON_RATE = 0.02
MUON_MOMENTUM = 0.95
MUON_DECAY = 0.01
MOST_GRADIENT = 1.0


def orthogonal(gradients):
    """The nearest orthogonal matrices, roughly, of [count, rows, columns], by Newton and Schulz's iteration."""
    x = gradients.bfloat16()
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    for _ in range(5):
        s = x @ x.transpose(1, 2)
        x = 3.4445 * x + torch.baddbmm(s, s, s, beta=-4.7750, alpha=2.0315) @ x
    return (x.transpose(1, 2) if tall else x).float()


class Muon:
    """Matrices of the same shape are made orthogonal together."""

    def __init__(self, matrices):
        groups = defaultdict(list)
        for matrix in matrices:
            groups[matrix.shape].append(matrix)
        self.groups = list(groups.values())
        self.momenta = [torch.zeros(len(group), *group[0].shape) for group in self.groups]

    @torch.no_grad()
    def step(self, rate):
        for group, momentum in zip(self.groups, self.momenta):
            if not any(matrix.grad.any() for matrix in group):
                continue
            gradients = torch.stack([matrix.grad for matrix in group])
            momentum.mul_(MUON_MOMENTUM).add_(gradients)
            updates = orthogonal(gradients.add_(momentum, alpha=MUON_MOMENTUM))
            rows, columns = group[0].shape
            taught = [matrix for matrix in group if matrix.grad.any()]
            torch._foreach_mul_(taught, 1 - MUON_DECAY * rate)
            torch._foreach_add_(group, list(updates.unbind()), alpha=-rate * max(1, rows / columns) ** 0.5)


class Optimizer:
    def __init__(self, model, heads, scale=1.0):
        muon = [matrix for layer in model.layers for matrix in layer.matrices()]
        # The projectors begin near what they shall be.
        slow = {id(model.patch_embd): 5e-5, id(model.audio_projection): 3e-4, id(model.image_projection): 1e-3}
        taken = {id(matrix) for matrix in muon}
        self.others = [p for p in [*model.parameters(), *heads.parameters()] if id(p) not in taken]
        groups = defaultdict(list)
        for parameter in self.others:
            groups[slow.get(id(parameter), ADAM_RATE)].append(parameter)
        self.scale = scale
        self.rates = list(groups)
        self.adam = torch.optim.Adam(
            [{"params": parameters} for parameters in groups.values()],
            lr=ADAM_RATE, betas=(0.9, 0.98), eps=1e-9, fused=True,
        )
        self.muon = Muon(muon)
        self.all = muon + self.others

    def step(self, factor):
        """factor: of the schedule, at most 1."""
        factor *= self.scale
        for parameter in self.all:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in self.others]
        norm = math.sqrt(sum(float(n) ** 2 for n in torch._foreach_norm(gradients)))
        if norm > MOST_GRADIENT:
            torch._foreach_mul_(gradients, MOST_GRADIENT / norm)
        for group, rate in zip(self.adam.param_groups, self.rates):
            group["lr"] = rate * factor
        self.adam.step()
        self.muon.step(MUON_RATE * factor)
        for parameter in self.all:
            parameter.grad = None

    def state(self):
        return {"adam": self.adam.state_dict(), "muon": self.muon.momenta}

    def load(self, state):
        self.adam.load_state_dict(state["adam"])
        for momentum, saved in zip(self.muon.momenta, state["muon"]):
            momentum.copy_(saved)
