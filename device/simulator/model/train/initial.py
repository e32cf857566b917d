"""Weights to begin with, from which seeing and hearing are learned much sooner than from chance."""

import math

import torch

import config as c
from model import patches_of
from source import Source

PATCHES = 6000
# How much stronger than in the pictures the fine components begin: 0 not at all, 1 all equally strong.
WHITENING = 0.6


@torch.no_grad()
def initialise(model, seed):
    set_audio(model)
    set_patches(model, seed)


def set_audio(model):
    """Audio as sines and cosines of 128 pitches; squares of them, that is loudness of pitches, in layer 0."""
    pitches = 128
    least, most = (math.log10(1 + hertz / 700) for hertz in (80, 7600))
    hertz = 700 * (10 ** torch.linspace(least, most, pitches) - 1)
    window = torch.hann_window(c.AUDIO_FRAME, periodic=False) ** 0.5
    angles = 2 * math.pi * hertz[:, None] * torch.arange(c.AUDIO_FRAME) / 16_000
    waves = torch.cat([angles.cos() * window, angles.sin() * window])
    model.audio_projection.copy_(waves / waves.norm(dim=1, keepdim=True))
    # gelu(x) * x + gelu(-x) * -x is nearly a square.
    one, none = torch.eye(pitches) * 1.5, torch.zeros(pitches, pitches)
    signed = torch.cat([torch.cat(pair, 1) for pair in ((one, none), (-one, none), (none, one), (none, -one))])
    layer, rows = model.layers[0], 4 * pitches
    layer.ffn_gate[:rows] = signed + 0.1 * layer.ffn_gate[:rows]
    layer.ffn_up[:rows] = signed + 0.1 * layer.ffn_up[:rows]
    spread = torch.linalg.qr(torch.randn(c.EMBED, pitches))[0]
    layer.ffn_down[:, :rows] = torch.cat([spread] * 4, 1) + 0.1 * layer.ffn_down[:, :rows]


def set_patches(model, seed):
    """Patches as their principal components."""
    source = Source(seed=seed, split="train", mix="image:1", size=64)
    patches = torch.zeros(0, 3 * c.PATCH**2)
    while len(patches) < PATCHES:
        batch = next(source)
        new = patches_of(batch.pictures[:, 0])[0]
        patches = torch.cat([patches, new.reshape(-1, patches.shape[1])])
    source.close()
    mean = patches.mean(0)
    _, strength, components = torch.svd_lowrank(patches - mean, q=c.VISION_EMBED, niter=2)
    weights = components.t() / (strength / len(patches) ** 0.5)[:, None] ** WHITENING
    bias = -(weights @ mean)
    scale = 1 / (patches @ weights.t() + bias).std()
    model.patch_embd.copy_(weights * scale)
    model.patch_bias.copy_(bias * scale)
