"""The trainings of ``training_objectives.py``, in the order in which they are worth having."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        objective: by its name in ``train.py``.
        sigma: of the noise, pixels in [0, 1].
        seed: of the weights, the order of the images and the noise.
        minutes: of one core for the training.
        epochs: None is the whole protocol.
    """

    objective: str
    sigma: float
    seed: int
    minutes: int
    epochs: int | None = None

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.objective}-{self.sigma:g}-{self.seed}"


RUNS = [
    Run("gaussian", 0.5, 0, 40),
    Run("consistency", 0.5, 0, 80),
    Run("gaussian", 0.25, 0, 40),
    Run("gaussian", 1.0, 0, 40),
    Run("consistency", 0.25, 0, 80),
    Run("consistency", 1.0, 0, 80),
    Run("stability", 0.5, 0, 80),
    Run("gaussian", 0.5, 1, 40),
    Run("consistency", 0.5, 1, 80),
    Run("macer", 0.5, 0, 65, epochs=8),
    Run("smoothadv", 0.5, 0, 60, epochs=3),
]
