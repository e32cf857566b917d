"""The small model as llama.cpp computes it (architecture gemma4, projectors gemma4uv and gemma4ua)."""

import math

import torch
from torch import nn
from torch.nn import functional as F

import config as c


def rms(x, weight=None):
    scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + c.EPSILON)
    return x * scale if weight is None else x * scale * weight


def vector(size, value=1.0):
    return nn.Parameter(torch.full((size,), float(value)))


def matrix(rows, columns, deviation=None):
    return nn.Parameter(torch.randn(rows, columns) * (deviation or columns**-0.5))


class Layer(nn.Module):
    def __init__(self, sliding):
        super().__init__()
        self.sliding = sliding
        self.kv_heads = c.KV_HEADS_SLIDING if sliding else c.KV_HEADS_FULL
        key_size = self.kv_heads * c.HEAD_SIZE
        self.attn_norm = vector(c.EMBED)
        self.attn_q = matrix(c.HEADS * c.HEAD_SIZE, c.EMBED)
        self.attn_k = matrix(key_size, c.EMBED)
        self.attn_v = matrix(key_size, c.EMBED) if sliding else None
        self.attn_output = matrix(c.EMBED, c.HEADS * c.HEAD_SIZE)
        # llama.cpp scales no attention, so that the norms do.
        self.attn_q_norm = vector(c.HEAD_SIZE, c.HEAD_SIZE**-0.25)
        self.attn_k_norm = vector(c.HEAD_SIZE, c.HEAD_SIZE**-0.25)
        self.post_attention_norm = vector(c.EMBED, 0.3)
        self.ffn_norm = vector(c.EMBED)
        self.ffn_gate = matrix(c.FEED_FORWARD, c.EMBED)
        self.ffn_up = matrix(c.FEED_FORWARD, c.EMBED)
        self.ffn_down = matrix(c.EMBED, c.FEED_FORWARD)
        self.post_ffw_norm = vector(c.EMBED, 0.3)
        self.layer_output_scale = vector(1)

    def matrices(self):
        names = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
        return [getattr(self, name) for name in names if getattr(self, name) is not None]

    def keys(self, x, angles, dtype):
        """Rotated keys, and values, [batch, heads, tokens, HEAD_SIZE]."""
        batch, tokens, _ = x.shape
        h = rms(x, self.attn_norm).to(dtype)
        raw = (h @ self.attn_k.to(dtype).t()).view(batch, tokens, self.kv_heads, c.HEAD_SIZE)
        value = raw if self.attn_v is None else (h @ self.attn_v.to(dtype).t()).view(raw.shape)
        key = rotate(rms(raw, self.attn_k_norm), angles)
        return key.to(dtype).transpose(1, 2), rms(value).to(dtype).transpose(1, 2)

    def answer(self, x, key, value, angles, mask):
        """x after the layer, for those tokens that ask. mask is added to their attention's weights."""
        batch, tokens, _ = x.shape
        dtype = key.dtype
        h = rms(x, self.attn_norm).to(dtype)
        query = (h @ self.attn_q.to(dtype).t()).view(batch, tokens, c.HEADS, c.HEAD_SIZE)
        query = rotate(rms(query, self.attn_q_norm), angles).to(dtype)
        # The queries that share a key head become rows of one product.
        group, all_tokens = c.HEADS // self.kv_heads, key.shape[2]
        query = query.view(batch, tokens, self.kv_heads, group, c.HEAD_SIZE).permute(0, 2, 3, 1, 4)
        query = query.reshape(batch, self.kv_heads, group * tokens, c.HEAD_SIZE)
        weights = (query @ key.transpose(2, 3)).view(batch, self.kv_heads, group, tokens, all_tokens)
        weights = (weights + mask).softmax(-1).to(dtype).view(batch, self.kv_heads, group * tokens, all_tokens)
        seen = (weights @ value).view(batch, self.kv_heads, group, tokens, c.HEAD_SIZE)
        seen = seen.permute(0, 3, 1, 2, 4).reshape(batch, tokens, -1)
        x = x + rms(seen @ self.attn_output.to(dtype).t(), self.post_attention_norm)
        h = rms(x, self.ffn_norm).to(dtype)
        gate = F.gelu(h @ self.ffn_gate.to(dtype).t(), approximate="tanh")
        h = (gate * (h @ self.ffn_up.to(dtype).t())) @ self.ffn_down.to(dtype).t()
        return (x + rms(h, self.post_ffw_norm)) * self.layer_output_scale

    def forward(self, x, angles, mask, dtype):
        key, value = self.keys(x, angles, dtype)
        return self.answer(x, key, value, angles, mask)


def rotate(x, angles):
    """Rotary embedding of [batch, tokens, heads, size]."""
    cosines, sines = angles
    left, right = x.chunk(2, -1)
    return torch.cat([left * cosines - right * sines, right * cosines + left * sines], -1)


class SmallModel(nn.Module):
    """Sequences are media, the same number of tokens in each row of a batch, then text, padded on the right."""

    def __init__(self):
        super().__init__()
        pixels = 3 * c.PATCH**2
        self.token_embd = matrix(c.VOCABULARY, c.EMBED, 1 / 16)
        self.layers = nn.ModuleList(Layer(sliding) for sliding in c.SLIDING)
        self.output_norm = vector(c.EMBED)
        self.patch_embd = matrix(c.VISION_EMBED, pixels)
        self.patch_bias = vector(c.VISION_EMBED, 0)
        self.patch_norm_2 = vector(c.VISION_EMBED)
        self.patch_norm_2_bias = vector(c.VISION_EMBED, 0)
        self.position_embd = nn.Parameter(torch.randn(2, c.PATCH_POSITIONS, c.VISION_EMBED) * 0.3)
        self.patch_norm_3 = vector(c.VISION_EMBED)
        self.patch_norm_3_bias = vector(c.VISION_EMBED, 0)
        self.image_projection = matrix(c.EMBED, c.VISION_EMBED)
        self.audio_projection = matrix(c.EMBED, c.AUDIO_FRAME)
        half = c.HEAD_SIZE // 2
        steps = torch.arange(half).float() * (-2 / c.HEAD_SIZE)
        self.register_buffer("speed_sliding", c.ROPE_BASE_SLIDING**steps, False)
        self.register_buffer("speed_full", c.ROPE_BASE_FULL**steps / rope_factors(), False)

    def speed(self, layer):
        return self.speed_sliding if layer.sliding else self.speed_full

    def image_tokens(self, patches, columns, dtype):
        """patches: [batch, count, 3 * PATCH * PATCH], normalised as `patches_of` does."""
        place = torch.arange(patches.shape[1])
        x = (patches.to(dtype) @ self.patch_embd.to(dtype).t()).float() + self.patch_bias
        x = F.layer_norm(x, x.shape[-1:], self.patch_norm_2, self.patch_norm_2_bias)
        x = x + self.position_embd[0][place % columns] + self.position_embd[1][place // columns]
        x = F.layer_norm(x, x.shape[-1:], self.patch_norm_3, self.patch_norm_3_bias)
        return (rms(x).to(dtype) @ self.image_projection.to(dtype).t()).float()

    def audio_tokens(self, frames, dtype):
        return (rms(frames).to(dtype) @ self.audio_projection.to(dtype).t()).float()

    def text_tokens(self, ids):
        return F.embedding(ids, self.token_embd) * math.sqrt(c.EMBED)

    def embed(self, segments, dtype):
        """
        Tokens of a batch and where its images and its sound lie, as pairs of from and to. Segments are
        ("text", ids [batch, n]), ("image", (patches, columns)) and ("audio", frames).
        """
        parts, images, sound, at = [], [], None, 0
        for kind, content in segments:
            if kind == "text":
                x = self.text_tokens(content)
            elif kind == "image":
                x = self.image_tokens(*content, dtype)
                images.append((at, at + x.shape[1]))
            else:
                x = self.audio_tokens(content, dtype)
                sound = (at, at + x.shape[1])
            parts.append(x)
            at += x.shape[1]
        return torch.cat(parts, 1), images, sound

    def media(self, segments, dtype):
        """Hidden states after AUXILIARY_LAYERS of media alone; places of the images and of the sound."""
        x, images, sound = self.embed(segments, dtype)
        mask = mask_of(x.shape[1], images, dtype)
        for layer in self.layers[: c.AUXILIARY_LAYERS]:
            x = layer(x, angles_at(torch.arange(x.shape[1]), self.speed(layer)), mask, dtype)
        return x, images, sound

    def forward(self, segments, select=None, dtype=torch.float32):
        """
        Hidden states after the last norm, for the tokens `select` [batch, n] or all; hidden states of all
        tokens after AUXILIARY_LAYERS; places of the images and of the sound.
        """
        x, images, sound = self.embed(segments, dtype)
        length = x.shape[1]
        mask = mask_of(length, images, dtype)
        positions = torch.arange(length)
        middle = x
        for layer in self.layers[:-1]:
            x = layer(x, angles_at(positions, self.speed(layer)), mask, dtype)
            if layer is self.layers[c.AUXILIARY_LAYERS - 1]:
                middle = x
        # Of the last layer only what answers is needed.
        layer = self.layers[-1]
        key, value = layer.keys(x, angles_at(positions, self.speed(layer)), dtype)
        if select is None:
            select = positions[None].expand(x.shape[0], -1)
        chosen = x.gather(1, select[..., None].expand(-1, -1, c.EMBED))
        mask = mask[select][:, None, None]
        x = layer.answer(chosen, key, value, angles_at(select, self.speed(layer)), mask)
        return rms(x, self.output_norm), middle, images, sound

    def logits(self, hidden, dtype=torch.float32):
        raw = (hidden.to(dtype) @ self.token_embd.to(dtype).t()).float()
        return c.SOFT_CAP * torch.tanh(raw / c.SOFT_CAP)


def mask_of(length, images, dtype):
    """Tokens see those before them, and patches all of their own image."""
    allowed = torch.ones(length, length, dtype=torch.bool).tril()
    for start, end in images:
        allowed[start:end, start:end] = True
    return torch.zeros(length, length, dtype=dtype).masked_fill(~allowed, -1e9)


class AuxiliaryHeads(nn.Module):
    """Read patches' and frames' contents off a middle layer: they teach to see and hear, and are not exported."""

    def __init__(self, words):
        super().__init__()
        self.patch = nn.Linear(c.EMBED, sum(c.PATCH_CLASSES))
        self.frame = nn.Linear(c.EMBED, c.FRAME_CLASSES + words)
        self.image = nn.Linear(c.EMBED, sum(c.IMAGE_FIELDS.values()))
        self.sound = nn.Linear(c.EMBED, sum(c.SOUND_FIELDS.values()))

    def image_loss(self, hidden, targets):
        """hidden: [batch, patches, EMBED]; targets: [batch, fields], 255 where unknown."""
        scores = self.image(rms(hidden).mean(1)).float().split(list(c.IMAGE_FIELDS.values()), -1)
        return field_loss(scores, targets)

    def sound_loss(self, hidden, targets):
        """hidden: [batch, EMBED] of the last frame."""
        scores = self.sound(rms(hidden)).float().split(list(c.SOUND_FIELDS.values()), -1)
        return field_loss(scores, targets)

    def patch_loss(self, hidden, targets):
        """targets: [batch, patches, 4]"""
        scores = self.patch(rms(hidden)).float().split(c.PATCH_CLASSES, -1)
        return sum(weighted_loss(score, targets[..., i]) for i, score in enumerate(scores)) / len(scores)

    def frame_loss(self, hidden, targets):
        return weighted_loss(self.frame(rms(hidden)).float(), targets)


def field_loss(scores, targets):
    losses = [
        F.cross_entropy(score, targets[:, i], ignore_index=c.UNKNOWN_TARGET)
        for i, score in enumerate(scores) if (targets[:, i] != c.UNKNOWN_TARGET).any()
    ]
    return sum(losses) / len(losses)


def weighted_loss(scores, targets):
    """Cross entropy in which the many targets 0 count for less."""
    targets = targets.reshape(-1).long()
    known = targets != c.UNKNOWN_TARGET
    targets, scores = targets[known], scores.reshape(-1, scores.shape[-1])[known]
    weights = torch.where(targets == 0, 0.25, 1.0)
    losses = F.cross_entropy(scores, targets, reduction="none")
    return (losses * weights).sum() / weights.sum().clamp(min=1)


def angles_at(positions, speed):
    """Cosines and sines for tokens at [tokens] or [batch, tokens]."""
    angles = (positions.float()[..., None] * speed)[..., None, :]
    return angles.cos(), angles.sin()


def rope_factors():
    """The full layer rotates only the fastest part of each head."""
    half = c.HEAD_SIZE // 2
    rotated = int(c.HEAD_SIZE * c.ROPE_SHARE_FULL / 2)
    return torch.tensor([1.0] * rotated + [1e30] * (half - rotated))


def patches_of(pixels):
    """Normalised patches, channel by channel, of images uint8 [batch, height, width, 3]."""
    batch, height, width, _ = pixels.shape
    rows, columns = height // c.PATCH, width // c.PATCH
    x = pixels.view(batch, rows, c.PATCH, columns, c.PATCH, 3).permute(0, 1, 3, 5, 2, 4)
    x = x.reshape(batch, rows * columns, -1).float() / 255
    return F.layer_norm(x, x.shape[-1:]), columns


def frames_of(sounds):
    """Frames of sounds int16 [batch, samples], the last one filled up with zeros."""
    x = F.pad(sounds.float() / 32768, (0, -sounds.shape[1] % c.AUDIO_FRAME))
    return x.view(x.shape[0], -1, c.AUDIO_FRAME)
