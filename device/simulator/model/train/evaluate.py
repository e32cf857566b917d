"""How often held-out samples are answered rightly, decoded greedily with forced keys as a grammar does."""

import random
from collections import defaultdict

import torch

import config as c
import questions
import tasks
import vocab
from model import angles_at, frames_of, patches_of, rms
from source import Source

BATCH = 64
FIELDS_AT_ONCE = 5
LONGEST_VALUE = 24
SETS = {
    **{media: {"mix": f"{media}:1"} for media in tasks.MEDIA},
    "new voices": {"mix": "sound:1", "voices": "new"},
}
QUOTED_ENDS = torch.tensor([token.startswith('"') for token in vocab.TOKENS])
NUMBER_ENDS = torch.tensor([token[0] in ",}" for token in vocab.TOKENS])
DIGITS = torch.tensor([token.isdigit() and len(token) == 1 for token in vocab.TOKENS])
BOOLEANS = torch.tensor([token in ("true", "false") for token in vocab.TOKENS])


def held_out(seed, samples):
    """Batches by name of their set."""
    sets = {}
    for name, options in SETS.items():
        source = Source(seed=seed, split="held-out", size=BATCH, **options)
        sets[name] = [next(source) for _ in range(-(-samples // BATCH))]
        source.close()
    return sets


def evaluate(model, sets, dtype=torch.bfloat16):
    """Share of right answers by set and field; "all": of samples whose fields all are right."""
    results = {}
    for name, batches in sets.items():
        right = defaultdict(list)
        for batch in batches:
            score(model, batch, dtype, right)
        results[name] = {field: sum(hits) / len(hits) for field, hits in right.items()}
    return results


@torch.no_grad()
def score(model, batch, dtype, right):
    rng = random.Random(batch.index)
    segments = media_segments(batch)
    wordings = [
        wording for task in tasks.TASKS if task["media"] == batch.media
        for wording in (*task["seen"], *task["unseen"])
    ]
    whole = [True] * len(batch.truths)
    orders = [rng.sample(list(truth), len(truth)) for truth in batch.truths]
    for start in range(0, max(map(len, orders)), FIELDS_AT_ONCE):
        rows = [i for i, order in enumerate(orders) if len(order) > start]
        fields = [orders[i][start : start + FIELDS_AT_ONCE] for i in rows]
        asked = [rng.choice(wordings) for _ in rows]
        answers = decode(model, chosen(segments, rows), asked, fields, dtype)
        for i, answer in zip(rows, answers):
            for field, value in answer.items():
                hit = value == text_of(batch.truths[i][field])
                whole[i] &= hit
                right[field].append(hit)
    right["all"] += whole


def media_segments(batch):
    pictures = [patches_of(batch.pictures[:, i]) for i in range(batch.pictures.shape[1])] if batch.pictures is not None else []
    sound = frames_of(batch.sounds) if batch.sounds is not None else None
    return questions.prompt_segments(pictures, sound, len(batch.truths))


def chosen(segments, rows):
    return [
        (kind, (content[0][rows], content[1]) if kind == "image" else content[rows]) for kind, content in segments
    ]


def text_of(value):
    return value if isinstance(value, str) else {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


class Cache:
    """Keys and values of rows of tokens of different lengths."""

    def __init__(self, model, segments, prompts, most, dtype):
        self.model, self.dtype = model, dtype
        self.rows = torch.arange(len(prompts))
        self.kept = []
        x, images, _ = model.embed([*segments, ("text", questions.padded(prompts))], dtype)
        length = x.shape[1]
        media = length - max(map(len, prompts))
        self.at = torch.tensor([media + len(prompt) for prompt in prompts])
        allowed = torch.ones(length, length, dtype=torch.bool).tril()
        for start, end in images:
            allowed[start:end, start:end] = True
        mask = torch.zeros(length, length, dtype=dtype).masked_fill(~allowed, -1e9)
        for layer in model.layers:
            angles = angles_at(torch.arange(length), model.speed(layer))
            key, value = layer.keys(x, angles, dtype)
            x = layer.answer(x, key, value, angles, mask)
            self.kept.append([torch.cat([part, torch.zeros_like(part[:, :, :1]).expand(-1, -1, most, -1)], 2) for part in (key, value)])
        self.length = length + most
        last = x[self.rows, self.at - 1]
        self.scores = model.logits(rms(last, model.output_norm), dtype)

    def add(self, tokens):
        """One more token to each row; `scores` then are those of the next."""
        model = self.model
        x = model.text_tokens(tokens[:, None])
        later = torch.arange(self.length) > self.at[:, None]
        mask = torch.zeros(later.shape, dtype=self.dtype).masked_fill(later, -1e9)[:, None, None, None]
        for layer, (keys, values) in zip(model.layers, self.kept):
            angles = angles_at(self.at[:, None], model.speed(layer))
            key, value = layer.keys(x, angles, self.dtype)
            keys[self.rows, :, self.at] = key[:, :, 0]
            values[self.rows, :, self.at] = value[:, :, 0]
            x = layer.answer(x, keys, values, angles, mask)
        self.at = self.at + 1
        self.scores = model.logits(rms(x[:, 0], model.output_norm), self.dtype)


def decode(model, segments, wordings, fields, dtype):
    """Answers as text by field, for rows of wordings and lists of fields."""
    prompts = [[*vocab.encode(wording), *questions.PROMPT_END] for wording in wordings]
    most = max(map(len, fields)) * (LONGEST_VALUE + 6)
    writers = [Writer(names) for names in fields]
    cache = Cache(model, segments, prompts, most, dtype)
    scores = cache.scores
    for _ in range(most):
        tokens = [writer.next(row) for writer, row in zip(writers, scores)]
        if all(writer.done for writer in writers):
            break
        cache.add(torch.tensor(tokens))
        scores = cache.scores
    return [writer.answer for writer in writers]


class Writer:
    """Writes one answer token by token: keys are forced, values are the likeliest tokens of their type."""

    def __init__(self, fields):
        self.fields, self.answer, self.done = list(fields), {}, False
        self.value, self.forced = [], self._key("{")

    def _key(self, before):
        field = self.fields[0]
        return vocab.encode(f'{before}"{field}":' + ('"' if tasks.is_quoted(field) else ""))

    def next(self, scores):
        if self.done:
            return vocab.PAD
        if self.forced:
            return self.forced.pop(0)
        field = self.fields[0]
        kind = tasks.FIELDS[field]["type"]
        if kind == "boolean":
            token = int(scores.masked_fill(~BOOLEANS, -1e9).argmax())
            ends = False
        elif kind == "integer":
            allowed = DIGITS | NUMBER_ENDS if self.value else DIGITS
            token = int(scores.masked_fill(~allowed, -1e9).argmax())
            ends = bool(NUMBER_ENDS[token])
        else:
            token = int(scores.argmax())
            ends = bool(QUOTED_ENDS[token]) or token < len(c.SPECIAL)
        if not ends:
            self.value.append(token)
            if kind == "boolean" or (kind == "integer" and len(self.value) == 2) or len(self.value) == LONGEST_VALUE:
                self._finish(field)
            return token
        self._finish(field)
        return self.next(scores)

    def _finish(self, field):
        self.answer[field] = vocab.decode(self.value)
        self.value = []
        self.fields.pop(0)
        if not self.fields:
            self.done = True
        else:
            self.forced = self._key('",' if tasks.is_quoted(field) else ",")


def table(results):
    """Lines that show the results, a column a set."""
    fields = list(dict.fromkeys(["all", *tasks.FIELDS]))
    lines = [" " * 12 + "".join(f"{name:>12}" for name in results)]
    for field in fields:
        cells = [f"{100 * shares[field]:12.1f}" if field in shares else " " * 12 for shares in results.values()]
        lines.append(f"{field:12}" + "".join(cells))
    return "\n".join(lines)
