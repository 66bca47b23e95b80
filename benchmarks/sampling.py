"""Seconds to draw 10,000 samples from a loaded generator, and the memory that takes, by batch size and threads.

    python benchmarks/sampling.py    # two minutes

`ganfw.sample` takes turns with the generator's forward pass alone, called on the same noise in batches of the same
size. Each configuration is a process of its own.
"""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import click
from fixtures import short_run
from memory import resident_mib

COUNT = 10_000


def draw(
    run: Path, batch_size: int, threads: int | None, rounds: int
) -> tuple[int, list[float], list[float], list[float]]:
    """Sample in this process.

    Returns:
        the number of threads, the seconds of each round, those of the forward pass alone, and MiB after loading and
        at the peak.
    """
    import torch

    from ganfw import discover, draw_noise, open_checkpoint, sample
    from ganfw.engine.kernels import fast_kernels

    if threads is not None:
        torch.set_num_threads(threads)
    source = open_checkpoint(run).source(discover(), "cpu")
    generator, noise = source.networks["generator"], source.noise
    loaded = resident_mib()
    sample(generator, noise, COUNT, batch_size=batch_size)
    memory = [loaded, resident_mib(peak=True)]
    z = draw_noise(noise, COUNT)
    generator.eval()
    ours, alone = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        sample(generator, noise, COUNT, batch_size=batch_size)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        with torch.no_grad(), fast_kernels(z.device):
            for chunk in z.split(batch_size):
                generator(chunk)
        alone.append(time.perf_counter() - started)
    return torch.get_num_threads(), ours, alone, memory


@click.command()
@click.option("--rounds", default=7, show_default=True)
def main(rounds: int) -> None:
    """Print a table."""
    run = short_run()
    print(
        "| threads | batch size | seconds, median (lowest-highest) | in forward passes | MiB loaded | MiB at the peak |"
    )
    print("|---|---|---|---|---|---|")
    for threads in (1, None):
        for batch_size in (64, 512, 4096, COUNT):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                used, ours, alone, memory = process.submit(draw, run, batch_size, threads, rounds).result()
            times = statistics.median(mine / theirs for mine, theirs in zip(ours, alone, strict=True))
            print(
                f"| {used} | {batch_size:,} | {statistics.median(ours):.3f} ({min(ours):.3f}-{max(ours):.3f}) "
                f"| {times:.2f} | {memory[0]:.0f} | {memory[1]:.0f} |"
            )


if __name__ == "__main__":
    main()
