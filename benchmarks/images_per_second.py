"""Training images per second of ResNet-32 on long-tailed CIFAR-10 (imbalance 100, batch 128): this core against the
usual loop (fp32, PIL transforms, a DataLoader with 2 workers), in turn, several times.

    LT_DATA=... python benchmarks/images_per_second.py [--threads 2] [--batches 12] [--rounds 3]

Python and torch are the same on both sides.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lt_core import Run, TrainConfig, override
from lt_core.data import load_parts
from lt_core.images import Images
from lt_core.models import ResNet32
from search_spaces import CONFIGS

BATCH = 128


@dataclass
class LongTailedCifar(Dataset):
    """The dataset class of the usual loop: one PIL image at a time."""

    images: Images

    def __post_init__(self) -> None:
        self.arrays = self.images.pixels.permute(0, 2, 3, 1).numpy()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), int(self.images.labels[index])


def usual_loop(images: Images) -> Iterator[int]:
    """Yields the size of each batch trained on, as the official code of LDAM and IB trains."""
    model = ResNet32().build(3, 32, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-4)
    loader = DataLoader(LongTailedCifar(images), BATCH, shuffle=True, num_workers=2, pin_memory=False)
    while True:
        for x, y in loader:
            loss = F.cross_entropy(model(x).logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield len(y)


def core_loop(config: TrainConfig, root: Path | None, threads: int) -> Iterator[int]:
    """Yields the size of each batch trained on, through the core's own step."""
    run = Run(config, root, threads=threads)
    for epoch in count(1):
        yield from (size for _, size in run.train_batches(epoch))


def images_per_second(loop: Iterator[int], batches: int) -> float:
    """The rate over some batches, after two that do not count."""
    next(loop), next(loop)
    started = time.perf_counter()
    images = sum(islice(loop, batches))
    return images / (time.perf_counter() - started)


CE = CONFIGS["ce-cifar10"]
VARIANTS = {
    "fp32": CE,
    "fp32 channels_last": override(CE, {"channels_last": True}),
    "bf16 channels_last": override(CE, {"channels_last": True, "precision": "bf16"}),
}


def measure(loop: str, threads: int, batches: int) -> float:
    """The rate of one loop, in a process of its own: the core tunes its allocator, the rival keeps the usual one."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_measure, loop, threads, batches).result()


def _measure(loop: str, threads: int, batches: int) -> float:
    torch.set_num_threads(threads)
    root = Path(os.environ["LT_DATA"])
    if loop == "usual":
        return images_per_second(usual_loop(load_parts(CE.data, root).train), batches)
    return images_per_second(core_loop(VARIANTS[loop], root, threads), batches)


def main() -> None:
    """Print the rates and their ratios to the usual loop's in the same round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for number in range(1, options.rounds + 1):
        usual = measure("usual", options.threads, options.batches)
        print(f"round {number}: usual loop {usual:.0f} images/s", flush=True)
        for name in VARIANTS:
            rate = measure(name, options.threads, options.batches)
            ratios[name].append(rate / usual)
            print(f"round {number}: {name} {rate:.0f} images/s, {rate / usual:.2f} times the usual loop", flush=True)
    for name, found in ratios.items():
        print(f"{name}: median ratio {statistics.median(found):.2f} over {len(found)} rounds")


if __name__ == "__main__":
    main()
