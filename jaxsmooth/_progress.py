"""Progress bars by tqdm, on demand."""

from collections.abc import Iterator
from typing import TypeVar

from jaxsmooth.sampling.job import SamplingJob

_T = TypeVar("_T")


def progress_bar(
    show: bool, name: str, job: SamplingJob, chunks: Iterator[tuple[slice, _T]]
) -> Iterator[tuple[slice, _T]]:
    """Pass the chunks of a job on, and show how many images are done if asked to."""
    if not show:
        yield from chunks
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError('progress=True needs tqdm: pip install "jaxsmooth[progress]"') from None
    with tqdm(total=job.x.shape[0], desc=name, unit="image") as bar:
        for images, result in chunks:
            yield images, result
            bar.update(images.stop - images.start)
