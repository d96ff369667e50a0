"""Numbers of papers that are in public files, recomputed from the authors' own logs, to put ours beside."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """A method at a sigma: the mean over runs.

    Attributes:
        runs: how many.
        acr: average certified radius.
        deviation: its standard deviation over the runs.
        accuracy: certified accuracy in percent at 0, 0.25, 0.5, ...
    """

    runs: int
    acr: float
    deviation: float
    accuracy: tuple[float, ...]


# Jeong and Shin 2020: github.com/jh-jeong/smoothing-consistency at a11954a, data/certify/mnist. LeNet, all 10,000 test
# images, alpha = 0.001, n = 100,000. Radii there are rounded to three digits.
MNIST = {
    ("gaussian", 0.25): Row(5, 0.9108, 0.0003, (99.2, 98.5, 96.7, 93.1)),
    ("stability", 0.25): Row(5, 0.9152, 0.0007, (99.3, 98.6, 97.1, 93.8)),
    ("smoothadv", 0.25): Row(5, 0.9322, 0.0005, (99.4, 99.0, 98.2, 96.8)),
    ("macer", 0.25): Row(5, 0.9201, 0.0006, (99.3, 98.7, 97.4, 94.7)),
    ("consistency", 0.25): Row(5, 0.9282, 0.0002, (99.4, 98.9, 97.9, 96.0)),
    ("gaussian", 0.5): Row(5, 1.5581, 0.0016, (99.2, 98.3, 96.9, 94.3, 89.8, 82.0, 67.8, 44.9)),
    ("stability", 0.5): Row(5, 1.5719, 0.0028, (99.3, 98.5, 97.3, 94.9, 90.8, 83.1, 69.2, 45.8)),
    ("smoothadv", 0.5): Row(5, 1.6872, 0.0007, (99.0, 98.4, 97.4, 95.7, 92.9, 88.5, 81.1, 67.5)),
    ("macer", 0.5): Row(5, 1.5899, 0.0069, (98.7, 97.8, 96.3, 93.9, 90.1, 83.5, 72.1, 52.3)),
    ("consistency", 0.5): Row(5, 1.6549, 0.0012, (99.2, 98.5, 97.5, 95.8, 92.9, 87.7, 78.3, 60.4)),
    ("gaussian", 1.0): Row(5, 1.6184, 0.0021, (96.3, 94.4, 91.4, 86.8, 79.9, 71.0, 59.5, 46.1, 32.5, 19.6, 10.9)),
    ("stability", 1.0): Row(5, 1.6341, 0.0018, (96.4, 94.5, 91.6, 87.1, 80.4, 71.8, 60.5, 47.0, 33.4, 20.5, 11.1)),
    ("smoothadv", 1.0): Row(5, 1.7786, 0.0017, (95.8, 93.8, 90.7, 86.5, 80.8, 73.6, 64.4, 53.9, 43.3, 32.9, 22.6)),
    ("macer", 1.0): Row(5, 1.5950, 0.0051, (91.6, 88.1, 83.4, 77.7, 71.1, 63.8, 55.7, 47.1, 38.7, 29.6, 20.1)),
    ("consistency", 1.0): Row(6, 1.7377, 0.0017, (95.0, 92.9, 89.8, 85.4, 79.7, 72.8, 63.5, 53.0, 41.7, 30.9, 20.2)),
}

# The same source, data/certify/cifar10: ResNet-20, 150 epochs, all 10,000 test images; consistency with lambda 10.
RESNET20 = {
    ("gaussian", 0.5): Row(1, 0.5242, 0.0, (67.0, 55.4, 42.8, 31.4, 22.0, 13.9, 8.1, 3.8)),
    ("consistency", 0.5): Row(1, 0.6864, 0.0, (60.5, 54.4, 47.7, 40.9, 34.4, 28.0, 22.2, 16.5)),
}

# Pal and Sulam 2023: github.com/ambarpal/randomized-smoothing at 20d2027. Discs: gap and smoothing noise to the
# training noise (None: not to be read) and the difference of risks there, read off their Figure 4. MNIST, from the .npy
# files: the best training noise by smoothing noise after their Savitzky-Golay filter, and the risk in percent without
# training noise, with that of the smoothing, and the lowest.
DISCS = {
    (0, 8.0): (20, 0.17), (1, 8.0): (20, 0.145), (2, 8.0): (20, 0.10), (3, 8.0): (20, 0.09), (0, 11.0): (None, -0.0015),
    (0, 14.0): (5, -0.004), (1, 14.0): (6, -0.003), (2, 14.0): (7, -0.0035),
}  # fmt: skip
MNIST_ALPHA = {0.0: 0.28, 0.4: 0.34, 0.9: 0.65}
MNIST_RISK = {0.0: (0.79, 0.79, 0.66), 0.4: (8.08, 0.68, 0.66), 0.9: (62.17, 1.88, 1.31)}
