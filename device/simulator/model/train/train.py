"""Trains the small model on the simulated cell: python train.py NAME --steps 20000; see README.md."""

import argparse
import copy
import json
import os
import random
import signal
import time
from collections import defaultdict

import torch
from torch.nn import functional as F

import config as c
import evaluate
import initial
import questions
import tasks
from model import AuxiliaryHeads, SmallModel
from optimizer import Optimizer
from source import Source

FOLDER = tasks.REPOSITORY / "build/train"
WARM_UP = 100
# Share of the steps over which the rate falls to nothing.
DECAY = 0.4
AUXILIARY_WEIGHTS = (0.4, 0.1)
EMA_DECAY, EMA_EVERY = 0.999, 4
REPORT_EVERY = 50
DTYPE = torch.bfloat16


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the run: build/train/NAME.pt is its checkpoint")
    parser.add_argument("--steps", type=int, default=20_000, help="decides the schedule")
    parser.add_argument("--stop", type=int, help="stop after this step, in the middle of the schedule")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--init", help="F16 GGUF of the text part to begin from, its mmproj beside it")
    parser.add_argument("--media-steps", type=int, default=2000, help="steps at the beginning without any question")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=64, help="samples in a batch")
    parser.add_argument("--mix", default="image:3,frames:1,sound:3,both:2")
    parser.add_argument("--ramp", type=int, default=2000, help="batches until the samples are as hard as they get")
    parser.add_argument("--workers", type=int, default=1, help="processes that render")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1.0, help="factor of all learning rates")
    parser.add_argument("--compile", action="store_true", help="fuse operations; needs a C++ compiler")
    parser.add_argument("--save-minutes", type=float, default=5)
    parser.add_argument("--evaluate-minutes", type=float, default=20)
    parser.add_argument("--evaluate-samples", type=int, default=192, help="of each sort of media")
    return parser.parse_args()


def schedule(step, steps):
    """Factor of the learning rates: warm-up, constant, linear to nothing."""
    return min(1, (step + 1) / WARM_UP, max(0.01, (1 - step / steps) / DECAY))


def auxiliary_weight(step, steps):
    first, last = AUXILIARY_WEIGHTS
    return first + (last - first) * min(1, max(0, (step / steps - 0.2) / 0.6))


def losses(model, heads, batch, seed):
    """Loss of the answers, and of the auxiliary heads."""
    rng = random.Random(f"{seed}/{batch.index}")
    rows = questions.rows_of([questions.question(rng, batch.media, truth) for truth in batch.truths])
    segments = evaluate.media_segments(batch)
    media = sum((content[0] if kind == "image" else content).shape[1] for kind, content in segments)
    # Where each row's answer is asked for, as a rectangle whose unneeded places are repeated ones.
    first = torch.full((len(batch.truths),), rows.ids.shape[1]).scatter_reduce(0, rows.row, rows.before, "amin")
    longest = int((rows.before - first[rows.row]).max()) + 1
    select = (media + first[:, None] + torch.arange(longest)).clamp(max=media + rows.ids.shape[1] - 1)
    hidden, middle, images, sound = model([*segments, ("text", rows.ids)], select, DTYPE)
    answers = hidden[rows.row, rows.before - first[rows.row]]
    each = F.cross_entropy(model.logits(answers, DTYPE), rows.target, reduction="none")
    loss = (each * rows.weight).sum() / rows.weight.sum()
    return loss, auxiliary_loss(heads, batch, middle, images, sound)


def media_losses(model, heads, batch):
    """No answers yet: what the lower layers make of media must tell what is in them."""
    middle, images, sound = model.media(evaluate.media_segments(batch)[:-1], DTYPE)
    loss = auxiliary_loss(heads, batch, middle, images, sound)
    return loss.detach(), loss


def auxiliary_loss(heads, batch, middle, images, sound):
    parts = []
    if images:
        seen = torch.stack([middle[:, start:end] for start, end in images], 1)
        parts.append(heads.patch_loss(seen, batch.patch_targets))
        targets = questions.image_targets(batch.truths)
        parts += [0.5 * heads.image_loss(middle[:, start:end], targets) / len(images) for start, end in images]
    if sound:
        start, end = sound
        parts.append(heads.frame_loss(middle[:, start:end], batch.frame_targets))
        parts.append(0.5 * heads.sound_loss(middle[:, end - 1], questions.sound_targets(batch.truths)))
    return sum(parts)


class Run:
    def __init__(self, options):
        self.options = options
        torch.manual_seed(options.seed)
        self.model, self.heads = SmallModel(), AuxiliaryHeads(len(tasks.SPOKEN))
        self.step, self.seconds = 0, 0.0
        self.path = FOLDER / f"{options.name}.pt"
        if options.init:
            from export import load

            load(self.model, options.init)
        elif not options.resume:
            initial.initialise(self.model, options.seed + 1000)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = Optimizer(self.model, self.heads, options.rate)
        if options.resume:
            self.load(torch.load(self.path, weights_only=True))
        if options.compile:
            for layer in self.model.layers:
                layer.keys = torch.compile(layer.keys, dynamic=True)
                layer.answer = torch.compile(layer.answer, dynamic=True)

    def load(self, state):
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load(state["optimizer"])
        self.step, self.seconds = state["step"], state.get("seconds", 0.0)

    def save(self):
        state = {
            "model": self.model.state_dict(), "average": self.average.state_dict(),
            "heads": self.heads.state_dict(), "optimizer": self.optimizer.state(),
            "step": self.step, "seconds": self.seconds, "options": vars(self.options),
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)

    def learn(self, batch):
        if self.step < self.options.media_steps:
            loss, auxiliary = media_losses(self.model, self.heads, batch)
        else:
            loss, auxiliary = losses(self.model, self.heads, batch, self.options.seed)
        steps = self.options.steps
        weight = 1 if self.step < self.options.media_steps else auxiliary_weight(self.step, steps)
        (loss + weight * auxiliary).backward()
        self.optimizer.step(schedule(self.step, steps))
        self.step += 1
        if self.step % EMA_EVERY == 0:
            # Early on the average must not drag the first weights along.
            keep = min(EMA_DECAY**EMA_EVERY, self.step / (self.step + 10 * EMA_EVERY))
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)
        return float(loss.detach()), float(auxiliary.detach())

    def evaluate(self, sets):
        started = time.monotonic()
        results = evaluate.evaluate(self.average, sets, DTYPE)
        say(f"held-out, step {self.step}, {time.monotonic() - started:.0f} s\n{evaluate.table(results)}")
        with (FOLDER / f"{self.options.name}.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.step, "steps": self.options.steps, "right": results}) + "\n")


class Report:
    """What is said every so many steps."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.started, self.waited = time.monotonic(), 0.0
        self.losses = defaultdict(list)

    def line(self, run):
        steps = sum(map(len, self.losses.values()))
        seconds = (time.monotonic() - self.started) / steps
        means = [
            f"{media} {mean(answer for answer, _ in pairs):.3f}/{mean(aux for _, aux in pairs):.3f}"
            for media, pairs in sorted(self.losses.items())
        ]
        hours = seconds * ((run.options.stop or run.options.steps) - run.step) / 3600
        say(
            f"step {run.step}  {'  '.join(means)}  {1000 * seconds:.0f} ms a step, "
            f"{1000 * self.waited / steps:.0f} of them for data  {hours:.1f} h left"
        )
        self.reset()


def mean(numbers):
    numbers = list(numbers)
    return sum(numbers) / len(numbers)


def say(line):
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    FOLDER.mkdir(parents=True, exist_ok=True)
    run = Run(options)
    say(f"{sum(p.numel() for p in run.model.parameters()):,} parameters, from step {run.step} to {options.steps}")
    sets = evaluate.held_out(options.seed, options.evaluate_samples) if options.evaluate_samples else {}
    source = Source(
        run.step, options.workers, seed=options.seed, split="train", mix=options.mix, size=options.size,
        ramp=options.ramp,
    )
    stopping = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.append(True))
    report, saved, evaluated = Report(), time.monotonic(), time.monotonic()
    try:
        while run.step < (options.stop or options.steps) and not stopping:
            started = time.monotonic()
            batch = next(source)
            report.waited += time.monotonic() - started
            report.losses[batch.media].append(run.learn(batch))
            run.seconds += time.monotonic() - started
            if run.step % REPORT_EVERY == 0:
                report.line(run)
            if time.monotonic() - saved > 60 * options.save_minutes:
                run.save()
                saved = time.monotonic()
            if sets and time.monotonic() - evaluated > 60 * options.evaluate_minutes:
                run.evaluate(sets)
                evaluated = time.monotonic()
        run.save()
        if sets and not stopping:
            run.evaluate(sets)
    finally:
        source.close()


if __name__ == "__main__":
    main()
