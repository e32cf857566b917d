"""
Compares what llama-server computes with PyTorch: python parity.py build/train/small.pt build/train/export

Asks about pictures of both grids, two pictures, a sound, and picture and sound, and prints the largest difference of
the likeliest tokens' probabilities. Exits 1 where one is above 0.02 (F16 weights against float32).
"""

import argparse
import base64
import io
import json
import struct
import subprocess
import time
import urllib.request
import wave
import zlib
from pathlib import Path

import numpy as np
import torch

import evaluate
import questions
import tasks
import vocab
from model import SmallModel
from source import Source

MOST = 0.02
TOKENS = 6
PORT = 18_431


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("export")
    options = parser.parse_args()
    model = SmallModel()
    model.load_state_dict(torch.load(options.checkpoint, weights_only=True)["average"])
    server = start(Path(options.export))
    worst = 0.0
    try:
        for media in tasks.MEDIA:
            source = Source(seed=77, split="held-out", mix=f"{media}:1", size=2)
            for _ in range(3):
                batch = next(source)
                difference = compare(model, batch)
                worst = max(worst, difference)
                print(f"{media:8} {batch.columns} columns  largest difference {difference:.4f}", flush=True)
            source.close()
    finally:
        server.kill()
    raise SystemExit(f"llama-server and PyTorch differ by {worst:.4f}" if worst > MOST else 0)


def start(folder):
    binary = tasks.REPOSITORY / "build/engine/llama-server"
    server = subprocess.Popen(
        [binary, "-m", folder / "small-F16.gguf", "--mmproj", folder / "mmproj-small-F16.gguf", "--port", str(PORT)]
        + "--host 127.0.0.1 -c 1024 -np 1 -t 1 -ub 512 --swa-full --no-webui --no-warmup".split()
        + "--image-min-tokens 25 --image-max-tokens 28".split(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health")
            return server
        except OSError:
            time.sleep(0.2)
    server.kill()
    raise SystemExit("llama-server does not start")


@torch.no_grad()
def compare(model, batch):
    wording = "Describe what you see and hear."
    parts = []
    if batch.pictures is not None:
        parts += [image_part(picture) for picture in batch.pictures[0]]
    if batch.sounds is not None:
        parts.append(sound_part(batch.sounds[0]))
    theirs = ask([*parts, {"type": "text", "text": wording}])
    segments = evaluate.chosen(evaluate.media_segments(batch), [0])
    ids = [*vocab.encode(wording), *questions.PROMPT_END]
    worst = 0.0
    for step in theirs:
        hidden, *_ = model([*segments, ("text", torch.tensor([ids]))])
        ours = model.logits(hidden[0, -1]).softmax(-1)
        for top in step["top_logprobs"]:
            worst = max(worst, abs(float(ours[top["id"]]) - float(np.exp(top["logprob"]))))
        ids.append(step["id"])
    return worst


def image_part(pixels):
    return {"type": "image_url", "image_url": {"url": "data:image/png;base64," + encoded(png(pixels.numpy()))}}


def png(pixels):
    """uint8 [height, width, 3] without any loss."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def sound_part(samples):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(samples.numpy().astype("<i2").tobytes())
    return {"type": "input_audio", "input_audio": {"format": "wav", "data": encoded(file.getvalue())}}


def encoded(data):
    return base64.b64encode(data).decode()


def ask(content):
    body = {
        "messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": TOKENS,
        "logprobs": True, "top_logprobs": 5, "cache_prompt": False,
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    reply = json.load(urllib.request.urlopen(request))
    return reply["choices"][0]["logprobs"]["content"]


if __name__ == "__main__":
    main()
