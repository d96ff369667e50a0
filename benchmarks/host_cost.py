"""What the host does for an image while the device samples: certify_curve with the device left out.

    python benchmarks/host_cost.py

Votes are drawn on the host from known probabilities in place of the device's program; their own time is measured
apart and taken off. The rest is what the host needs: schedule, transfer to the slots, looks, certificates. A device
that is faster than the ceiling would wait for the host.
"""

import argparse
import dataclasses
import time

import jax
import jax.numpy as jnp
import numpy as np
from populations import synthetic

import jaxsmooth as js
from jaxsmooth._types import Votes
from jaxsmooth._verbs import run
from jaxsmooth.sampling.kernel import Listed, Slots
from jaxsmooth.sampling.sampler import Sampler

CLASSES = 10


class Drawn:
    """Binomial votes in place of a classifier's, and the time that drawing them takes."""

    def __init__(self, p: np.ndarray) -> None:
        self.p, self.rng, self.seconds = p, np.random.default_rng(0), 0.0

    def votes(self, slots: Slots, pairs: Listed) -> Votes:
        start = time.perf_counter()
        number = slots.keys.shape[0]
        counts = np.zeros((number, CLASSES), np.int32)
        drawn = np.bincount(np.asarray(pairs.slot).ravel(), minlength=number + 1)[:number]
        which = np.asarray(slots.x[:, 0]).astype(int)  # the first pixel says which image it is
        counts[:, 0] = self.rng.binomial(drawn, self.p[which])
        counts[:, 1] = drawn - counts[:, 0]
        self.seconds += time.perf_counter() - start
        return Votes(counts, np.zeros(number, np.int32))


def without_device(drawn: Drawn):
    """The sampler with its two uses of the device replaced."""
    original = run.sampler

    def sampler(*arguments, **options):
        context = original(*arguments, **options)

        class Context:
            def __enter__(self) -> Sampler:
                real = context.__enter__()
                fields = {field.name: getattr(real, field.name) for field in dataclasses.fields(real)}
                return OnHost(**fields)

            def __exit__(self, *error):
                return context.__exit__(*error)

        return Context()

    class OnHost(Sampler):
        def count_listed(self, slots: Slots, pairs: Listed) -> Votes:
            return drawn.votes(slots, pairs)

        def fetch(self, votes: Votes) -> Votes:
            return votes

    return sampler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    images = 100 if options.quick else options.images
    population = synthetic("cifar10-0.5", images)
    x = np.zeros((images, 32, 32, 3), np.float32)
    x[:, 0, 0, 0] = np.arange(images)
    classify = lambda x: jnp.zeros((x.shape[0], CLASSES))
    original = run.sampler
    print(f"{'batch size':>10} {'ms an image':>12} {'samples an image':>17} {'ceiling, samples/s':>19}")
    for batch_size in (64, 256, 1024, 4096):
        drawn = Drawn(population.p_label)
        run.sampler = without_device(drawn)
        try:
            for last in (False, True):
                drawn.seconds, start = 0.0, time.perf_counter()
                found = js.certify_curve(
                    jax.random.key(0), classify, js.noises.Gaussian(0.5), x if last else x[:64], population.radii,
                    labels=np.zeros(images if last else 64, int), batch_size=batch_size,
                )  # fmt: skip
                seconds = time.perf_counter() - start - drawn.seconds
        finally:
            run.sampler = original
        samples = int(found.samples.sum())
        print(f"{batch_size:10} {1e3 * seconds / images:12.3f} {samples / images:17,.0f} {samples / seconds:19,.0f}")


if __name__ == "__main__":
    main()
