"""What the small model is asked and the words that occur in it: tasks.json, and the simulator's world.ts."""

import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[3]
_file = json.loads((HERE.parent / "tasks.json").read_text())
FIELDS = _file["fields"]
TASKS = _file["tasks"]
MEDIA = ["image", "frames", "sound", "both"]


def _spoken_words():
    source = (HERE.parents[1] / "world.ts").read_text()
    body = re.search(r"export const WORDS = \[(.*?)\]", source, re.S).group(1)
    return re.findall(r'"([a-z]+)"', body)


# In the order of world.ts: place + FRAME_CLASSES is a word's frame target.
SPOKEN = _spoken_words()
THINGS = ["cup", "book", "bag"]
# Every word that a description has within it, and those that it can begin with.
DESCRIPTION = (
    "is here person waits people wait light red green amber off and blinks the camera dark blurred covered moved "
    "lies on floor lie it silent machine hums air hisses grinds an alarm sounds somebody says one some two three "
    "nobody a"
).split()
DESCRIPTION_STARTS = "nobody one two three some the it a air an somebody".split()


def is_quoted(field):
    return FIELDS[field]["type"] in ("enum", "string")


def values():
    """Field values of one word."""
    enums = [value for field in FIELDS.values() for value in field.get("values", [])]
    return list(dict.fromkeys(["true", "false", *enums, *SPOKEN, *THINGS, "nothing", "unknown"]))


def question_words():
    """Words of the questions that are trained on: those that begin one, and the others."""
    starts, others = {}, {}
    for task in TASKS:
        for wording in task["seen"]:
            first, *rest = re.findall(r"[A-Za-z]+", wording)
            starts[first] = True
            others.update(dict.fromkeys(rest))
    return list(starts), list(others)
