"""The small model's vocabulary: byte-pair encoding of 1,024 tokens in Gemma 4's manner."""

import collections
import functools
import re

import config
import tasks

# Words that people may use in questions of their own.
OTHER_WORDS = """which any if or from that be has have will there when where who picture recording room anyone someone
clip hear number of colour not what how you please now screen lamp voice word noise""".split()
JSON_MERGES = [('"', ":"), ('":', '"'), ('"', ","), ('",', '"'), ("{", '"'), ('"', "}"), (",", '"')]
KEY_STARTS = ['{"', ',"', '","']


def corpus():
    starts, others = tasks.question_words()
    bare = [*tasks.FIELDS, *tasks.values(), *tasks.DESCRIPTION_STARTS]
    spaced = [*tasks.DESCRIPTION, *tasks.SPOKEN, "book", "bag"]
    weights = collections.Counter()
    for weight, words in (
        (3000, [*bare, *["▁" + word for word in spaced]]),
        (800, [*starts, *["▁" + word for word in others], "user", "model"]),
        (100, ["▁" + word for word in OTHER_WORDS]),
    ):
        for place, word in enumerate(words):
            weights[word] = max(weights[word], weight - place)
    return weights


def letter_merges(weights, most):
    """Merges that make words, in the order of their use."""
    words = {word: (list(word), weight) for word, weight in weights.items()}
    merges = []
    while len(merges) < most:
        pairs = collections.Counter()
        for symbols, weight in words.values():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += weight
        if not pairs:
            break
        (left, right), _ = max(pairs.items(), key=lambda item: (item[1], item[0]))
        merges.append((left, right))
        for word, (symbols, weight) in words.items():
            words[word] = (joined(symbols, left, right), weight)
    return merges


def key_merges():
    """Merges that make one token of a field's key with all punctuation around it."""
    merges = [(start, field) for field in tasks.FIELDS for start in KEY_STARTS]
    for field in tasks.FIELDS:
        for start in KEY_STARTS:
            merges.append((start + field, '":"' if tasks.is_quoted(field) else '":'))
    return merges


def joined(symbols, left, right):
    out, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and symbols[i] == left and symbols[i + 1] == right:
            out.append(left + right)
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return out


def build():
    characters = ["\n", "▁"] + [chr(code) for code in range(33, 127)]
    tokens = list(config.SPECIAL) + [f"<0x{byte:02X}>" for byte in range(256)] + characters
    known, merges, keys = set(tokens), [], key_merges()
    room = config.VOCABULARY - len(keys)
    for most, pairs in ((room, JSON_MERGES + letter_merges(corpus(), 4000)), (config.VOCABULARY, keys)):
        for left, right in pairs:
            if left + right not in known:
                if len(tokens) >= most:
                    break
                known.add(left + right)
                tokens.append(left + right)
            merges.append((left, right))
    tokens += [f"<unused{i}>" for i in range(len(tokens), config.VOCABULARY)]
    return tokens, merges


TOKENS, MERGES = build()
ID = {token: i for i, token in enumerate(TOKENS)}
RANK = {pair: rank for rank, pair in reversed(list(enumerate(MERGES)))}
PAD = ID["<pad>"]
END_OF_TURN = ID["<turn|>"]
SPECIAL_PATTERN = re.compile("(" + "|".join(map(re.escape, sorted(config.SPECIAL, key=len, reverse=True))) + ")")
# Without quotation marks no merge crosses from letters to other characters: such runs are encoded one by one.
RUNS = re.compile(r"▁?[A-Za-z]+|▁|[^A-Za-z▁]+")


@functools.lru_cache(maxsize=100_000)
def _merged(run):
    symbols = list(run)
    while len(symbols) > 1:
        pairs = enumerate(zip(symbols, symbols[1:]))
        best, i = min((RANK.get(pair, len(MERGES)), i) for i, pair in pairs)
        if best == len(MERGES):
            break
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
    ids = []
    for symbol in symbols:
        ids += [ID[symbol]] if symbol in ID else [ID[f"<0x{byte:02X}>"] for byte in symbol.encode()]
    return tuple(ids)


def encode(text):
    """Token ids of a text in which special tokens are written out."""
    ids = []
    for part in SPECIAL_PATTERN.split(text):
        if part in config.SPECIAL:
            ids.append(ID[part])
            continue
        for line in re.findall(r"[^\n]+|\n+", part.replace(" ", "▁")):
            for run in [line] if '"' in line else RUNS.findall(line):
                ids += _merged(run)
    return ids


def decode(ids):
    return "".join(TOKENS[i] for i in ids).replace("▁", " ")


if __name__ == "__main__":
    print(len(TOKENS), "tokens,", sum(t.startswith("<unused") for t in TOKENS), "unused;", len(MERGES), "merges")
    for word in corpus():
        if len(_merged(word)) > 1:
            print(word, [TOKENS[i] for i in _merged(word)])
