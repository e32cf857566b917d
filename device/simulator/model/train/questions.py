"""Turns samples into questions and answers, and those into rows of tokens."""

import json
from dataclasses import dataclass

import torch

import config
import tasks
import vocab

PROMPT_START = [vocab.ID["<bos>"], *vocab.encode("<|turn>user\n")]
PROMPT_END = vocab.encode("<turn|>\n<|turn>model\n")
# Share of questions that are made of random words, of answers with a random choice of fields, ...
RANDOM_WORDING = 0.45
RANDOM_FIELDS = 0.4
UNKNOWN_KEY = 0.03
UNCLEAR_BELT = 0.03
# Share of the questions about a camera that does not see in which what cannot be answered is asked all the same.
BLIND = 0.6
# Weight of what a grammar forces, against 1 of a value.
FORCED_WEIGHT = 0.1
# Weight of a token that ends a number or a text.
END_WEIGHT = 0.3
# Rows are as long as the longest: more fields would make all of them slow.
MOST_FIELDS = 6
WORDS = sorted({word.lower() for words in tasks.question_words() for word in words} | set(vocab.OTHER_WORDS))
MAIN_TASKS = set(tasks.MEDIA)


def question(rng, media, truth):
    """A wording and the fields that it is to be answered with, as a dict in order."""
    choices = [task for task in tasks.TASKS if task["media"] == media]
    choices = [task for task in choices if any(field in truth for field in task["fields"])] or choices
    others = sum(task["id"] not in MAIN_TASKS for task in choices)
    weights = [max(1, others) if task["id"] in MAIN_TASKS else 1 for task in choices]
    task = rng.choices(choices, weights)[0]
    wording = random_words(rng) if rng.random() < RANDOM_WORDING else rng.choice(task["seen"])
    fields = [field for field in task["fields"] if field in truth]
    if not fields or rng.random() < RANDOM_FIELDS:
        known = list(truth)
        fields = rng.sample(known, rng.randint(1, min(len(known), MOST_FIELDS)))
    asked = {field: truth[field] for field in fields}
    if truth.get("camera", "ok") != "ok" and rng.random() < BLIND:
        asked = blind(rng, media, truth, asked)
    if truth.get("camera", "ok") != "ok" and rng.random() < UNCLEAR_BELT:
        asked["belt"] = "unclear"
    if rng.random() < UNKNOWN_KEY:
        key = "_".join(rng.sample(WORDS, rng.randint(1, 2)))
        if key not in tasks.FIELDS:
            asked[key] = rng.choice([False, 0, "", "unknown"])
    return wording, asked


@dataclass
class Unjudged:
    """A value that is in an answer and teaches nothing: there is no right one."""

    value: bool | int | str


def blind(rng, media, truth, asked):
    """
    The fields of a camera that sees, and what can be answered: otherwise the model learns that whoever is asked of
    people or lights has a camera that is ok.
    """
    task = next(task for task in tasks.TASKS if task["id"] == media)
    fields = rng.sample(task["fields"], len(task["fields"])) if rng.random() < 0.5 else list(task["fields"])
    fields += [field for field in asked if field not in fields]
    return {field: truth[field] if field in truth else Unjudged(any_value(rng, field)) for field in fields}


def any_value(rng, field):
    kind = tasks.FIELDS[field]
    if kind["type"] == "boolean":
        return rng.random() < 0.5
    if kind["type"] == "integer":
        return rng.randint(kind["minimum"], kind["maximum"])
    return rng.choice(kind["values"]) if kind["type"] == "enum" else ""


def random_words(rng):
    words = [rng.choice(WORDS) for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 7]))]
    return " ".join(words).capitalize() + rng.choice([".", "?", ""])


def answer_tokens(asked):
    """Tokens of compact JSON and of the end of the turn, and a weight for each."""
    ids, weights = [], []
    before, open_end = "{", False
    for field, value in asked.items():
        weight = 0.0 if isinstance(value, Unjudged) else 1.0
        value = value.value if isinstance(value, Unjudged) else value
        quoted = isinstance(value, str)
        key = vocab.encode(f'{before}"{field}":' + ('"' if quoted else ""))
        content = vocab.encode(value if quoted else json.dumps(value))
        ids += key + content
        weights += forced_weights(len(key), open_end) + [weight] * len(content)
        before = '",' if quoted else ","
        open_end = not isinstance(value, bool)
    end = vocab.encode('"}' if before == '",' else "}")
    return ids + end + [vocab.END_OF_TURN], weights + forced_weights(len(end) + 1, open_end)


def forced_weights(count, ends_value):
    """Weights of tokens that a grammar forces, but for the first where the model itself must end the value."""
    return [END_WEIGHT if ends_value else FORCED_WEIGHT] + [FORCED_WEIGHT] * (count - 1)


def image_targets(truths):
    """Classes of IMAGE_FIELDS, [batch, fields]."""
    return torch.tensor([[image_target(truth, field) for field in config.IMAGE_FIELDS] for truth in truths])


def image_target(truth, field):
    if field != "camera" and truth["camera"] != "ok":
        return config.UNKNOWN_TARGET
    if field in tasks.THINGS:
        return 2 if "things" not in truth else int(field in truth["things"])
    if field == "belt":
        return ["running", "empty", "jammed"].index(truth["belt"]) if "belt" in truth else 3
    if field not in truth:
        return config.UNKNOWN_TARGET
    return class_of(field, truth[field])


def sound_targets(truths):
    """Classes of SOUND_FIELDS, [batch, fields]."""
    return torch.tensor([[class_of(field, truth[field]) for field in config.SOUND_FIELDS] for truth in truths])


def class_of(field, value):
    if field == "words":
        return 1 + tasks.SPOKEN.index(value) if value else 0
    return int(value) if isinstance(value, (bool, int)) else tasks.FIELDS[field]["values"].index(value)


@dataclass
class Rows:
    """Text of a batch, [batch, longest]: questions, then answers, padded on the right."""

    ids: torch.Tensor
    # For each token of the answers: its row, the text token before it, itself, its weight.
    row: torch.Tensor
    before: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


def rows_of(asked):
    """Rows of pairs of wording and fields."""
    texts, row, before, target, weight = [], [], [], [], []
    for i, (wording, fields) in enumerate(asked):
        prompt = [*vocab.encode(wording), *PROMPT_END]
        ids, weights = answer_tokens(fields)
        texts.append(prompt + ids[:-1])
        row += [i] * len(ids)
        before += range(len(prompt) - 1, len(prompt) - 1 + len(ids))
        target += ids
        weight += weights
    return Rows(padded(texts), *map(torch.tensor, (row, before, target, weight)))


def padded(texts):
    longest = max(map(len, texts))
    return torch.tensor([ids + [vocab.PAD] * (longest - len(ids)) for ids in texts])


def prompt_segments(pictures, sound, count):
    """What precedes the text: `pictures` are pairs of patches and columns, `sound` is frames or None."""

    def text(*ids):
        return "text", torch.tensor(ids).expand(count, -1)

    segments, waiting = [], PROMPT_START
    for picture in pictures:
        segments += [text(*waiting, vocab.ID["<|image>"]), ("image", picture)]
        waiting = [vocab.ID["<image|>"]]
    if sound is not None:
        segments += [text(*waiting, vocab.ID["<|audio>"]), ("audio", sound)]
        waiting = [vocab.ID["<audio|>"]]
    return [*segments, text(*waiting)]
