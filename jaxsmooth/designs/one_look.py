"""What a design that decides in one look shares with the others of its kind."""

import dataclasses

import numpy as np

from jaxsmooth.designs.base import AbstractDesign, Rows


@dataclasses.dataclass(frozen=True, eq=False)
class AbstractOneLookDesign(AbstractDesign):
    """A design that looks once, after all draws: nothing is remembered of images, and their votes decide everything.

    Subclasses define ``looks``, with the one number of draws, and ``conclude``.
    """

    def init(self, images: int) -> Rows:
        """See ``AbstractDesign.init``."""
        return {}

    def look(
        self, rows: Rows, look: np.ndarray, counts: np.ndarray, labels: np.ndarray | None
    ) -> tuple[Rows, np.ndarray]:
        """See ``AbstractDesign.look``."""
        return {}, np.ones(len(look), bool)
