"""Progress bars by tqdm, on demand."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def progress_bar(
    show: bool, name: str, total: int | None, results: Iterable[_T], images: Callable[[_T], int]
) -> Iterator[_T]:
    """Pass results on, and show how many of ``total`` images are done if asked to."""
    if not show:
        yield from results
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError('progress=True needs tqdm: pip install "jaxsmooth[progress]"') from None
    with tqdm(total=total, desc=name, unit="image") as bar:
        for result in results:
            yield result
            bar.update(images(result))
