"""Progress bars by tqdm, on demand."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import jax

_T = TypeVar("_T")


class Done(NamedTuple):
    """What a step of a run has done.

    Attributes:
        images: images that are finished.
        samples: draws that were spent on them in this run.
        certified: how many of them are certified, correctly where labels are known; None if that is not known yet.
    """

    images: int
    samples: int
    certified: int | None = None


def progress_bar(
    show: bool,
    name: str,
    total: int | None,
    results: Iterable[_T],
    done: Callable[[_T], Done],
    share: str = "certified",
) -> Iterator[_T]:
    """Pass results on; if asked to, show images done of ``total``, time left, samples a second, share certified."""
    if not show:
        yield from results
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError('progress=True needs tqdm: pip install "jaxsmooth[progress]"') from None
    if jax.process_index() > 0:
        yield from results
        return
    images, samples, certified, start = 0, 0, 0, time.perf_counter()
    with tqdm(total=total, desc=name, unit="image") as bar:
        for result in results:
            yield result
            step = done(result)
            images, samples = images + step.images, samples + step.samples
            shown = {"samples/s": f"{samples / max(time.perf_counter() - start, 1e-9):.3g}"}
            if step.certified is not None:
                certified += step.certified
                shown[share] = f"{certified / max(images, 1):.1%}"
            bar.set_postfix(shown, refresh=False)
            bar.update(step.images)
