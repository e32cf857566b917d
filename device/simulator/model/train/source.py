"""Batches of the simulated cell: reads those that processes of sampler.ts render."""

import json
import os
import queue
import signal
import struct
import subprocess
import threading
from dataclasses import dataclass

import numpy as np
import torch

import config
import tasks

SAMPLER = "device/simulator/model/train/sampler.ts"
# Batches that each process may be ahead.
AHEAD = 3


@dataclass
class Batch:
    index: int
    media: str
    columns: int
    truths: list
    # uint8 [count, pictures, height, width, 3] and [count, pictures, patches, 4]
    pictures: torch.Tensor | None
    patch_targets: torch.Tensor | None
    # int16 [count, samples] and uint8 [count, frames]
    sounds: torch.Tensor | None
    frame_targets: torch.Tensor | None


class Source:
    """An endless iterator over the batches from `start` on; the number of processes changes nothing about them."""

    def __init__(self, start=0, workers=1, **options):
        self.queues, self.processes = [], []
        self.next = 0
        for worker in range(workers):
            arguments = {**options, "from": start + worker, "every": workers}
            flags = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
            process = subprocess.Popen(
                [str(tasks.REPOSITORY / "node_modules/.bin/tsx"), SAMPLER, *flags],
                stdout=subprocess.PIPE, cwd=tasks.REPOSITORY, start_new_session=True,
            )
            self.processes.append(process)
            self.queues.append(queue.Queue(AHEAD))
            threading.Thread(target=self._read, args=(process.stdout, self.queues[-1]), daemon=True).start()

    def _read(self, stream, batches):
        try:
            while True:
                batches.put(read_batch(stream))
        except EOFError as error:
            batches.put(error)

    def __iter__(self):
        return self

    def __next__(self):
        batch = self.queues[self.next % len(self.queues)].get()
        if isinstance(batch, EOFError):
            raise RuntimeError("the sampler has ended; its messages are above")
        self.next += 1
        return batch

    def close(self):
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass


def read_batch(stream):
    header = json.loads(_read(stream, struct.unpack("<I", _read(stream, 4))[0]))
    count, shown, samples = header["count"], header["pictures"], header["samples"]
    columns, rows = header["columns"], header["rows"]

    def tensor(dtype, *shape):
        size = int(np.prod(shape))
        if size == 0:
            return None
        data = _read(stream, size * np.dtype(dtype).itemsize)
        return torch.from_numpy(np.frombuffer(data, dtype).reshape(shape))

    size = config.PATCH
    return Batch(
        header["index"], header["media"], columns, header["truths"],
        tensor(np.uint8, count, shown, rows * size, columns * size, 3),
        tensor(np.uint8, count, shown, rows * columns, len(config.PATCH_CLASSES)),
        tensor(np.int16, count, samples),
        tensor(np.uint8, count, -(-samples // config.AUDIO_FRAME)),
    )


def _read(stream, size):
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        got = stream.readinto(view[at:])
        if not got:
            raise EOFError
        at += got
    return data
