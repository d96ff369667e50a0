"""Certify a checkpoint that the papers' programs left on disk, in one command.

    python examples/certify.py CHECKPOINT --dataset cifar10 --data-dir DIR --sigma 0.25 --skip 20 --ledger votes.jsonl
    python examples/certify.py CHECKPOINT --dataset imagenet2012 --data-dir DIR --sigma 0.5 --skip 100
    python examples/certify.py --quick

CHECKPOINT is what locuslab/smoothing, smoothing-adversarial, smoothing-consistency, MACER or rs4a saved
(checkpoint.pth.tar, read by PyTorch; also .safetensors and .npz). The network is found by the names of its tensors.
With --skip 20 the 500 images of the CIFAR-10 tables are certified: TFDS stores it in another order than its
publishers, which the identifiers of its images tell. MNIST and ImageNet have none; they are taken in the order of TFDS.
Writes the six-column log --output and prints certified accuracies. With --ledger a killed run goes on where it was, and
other n and alpha take no network (js.recertify). A ResNet-110 of Cohen et al. at sigma 0.25 should give 75, 60, 43 and
27 percent at radius 0, 0.25, 0.5 and 0.75. Without a checkpoint --quick certifies a LeNet with random weights, to see
that it runs: seconds.
"""

import argparse
import pathlib
import time

import jax
import numpy as np

import jaxsmooth as js
from jaxsmooth.interop.papers import lenet

# The normalisation that the papers' programs have for a data set.
NORMALIZE = {"cifar10": "cifar10", "imagenet2012": "imagenet"}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("checkpoint", nargs="?", type=pathlib.Path)
    add("--dataset", default="cifar10")
    add("--data-dir", help="folder of prepared data sets")
    add("--split", help="images to certify; by default test, of ImageNet validation")
    add("--sigma", type=float, default=0.25, help="of the Gaussian noise, pixels in [0, 1]")
    add("--skip", type=int, default=1, help="every so many images")
    add("--max", type=int, help="stop before this image")
    add("--n0", type=int, default=100, help="votes that select")
    add("--n", type=int, default=100_000, help="votes that estimate")
    add("--alpha", type=float, default=0.001)
    add("--normalize", help="cifar10, imagenet, mnist or none; by default that of the data set")
    add("--center-only", action="store_true", help="take off the mean alone, as some networks of Salman et al. do")
    add("--denoiser", type=pathlib.Path, help="a DnCNN checkpoint in front of the network, for denoised smoothing")
    add("--batch-size", type=int)
    add("--seed", type=int, default=0)
    add("--ledger", type=pathlib.Path, help="file of votes, from which a killed run goes on")
    add("--output", type=pathlib.Path, default=pathlib.Path("outputs/certify.tsv"))
    add("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.checkpoint is None and not options.quick:
        parser.error("name the CHECKPOINT, or pass --quick")
    if options.quick:
        options.n, options.max = min(options.n, 200), options.max or 5
    return options


def load(options):
    """The classifier, images and labels of the options, and the numbers of the images."""
    if options.checkpoint is None:
        rng = np.random.default_rng(0)
        state = {name: rng.normal(0, 0.05, shape).astype(np.float32) for name, shape in SHAPES.items()}
        images, labels = rng.random((options.max, 28, 28, 1), np.float32), rng.integers(0, 10, options.max)
        return lenet(state), images, labels, np.arange(options.max)
    split = options.split or ("validation" if options.dataset == "imagenet2012" else "test")
    source = js.datasets.load(options.dataset, split, data_dir=options.data_dir)
    numbers = np.arange(0, min(len(source[0]), options.max or len(source[0])), options.skip)
    order = published_order(options.dataset, split, options.data_dir)
    images, labels = (part[order[numbers]] for part in source)
    normalize = options.normalize or NORMALIZE.get(options.dataset)
    classify = js.interop.from_paper(options.checkpoint, normalize, center_only=options.center_only)
    print(classify)
    if options.denoiser is not None:
        classify = js.denoised(js.denoisers.trained(js.interop.from_paper(options.denoiser), options.sigma), classify)
    return classify, images, labels, numbers


def published_order(dataset, split, data_dir):
    """Where the images are that the publishers of a data set number 0, 1, ..., if it says so."""
    source = js.datasets.source(dataset, split, data_dir=data_dir)
    if "id" not in source[0]:
        return np.arange(len(source))
    return np.argsort([record["id"] for record in source], kind="stable")


# Of the LeNet without a checkpoint.
SHAPES = {
    "conv1.weight": (20, 1, 5, 5), "conv1.bias": (20,), "conv2.weight": (50, 20, 5, 5), "conv2.bias": (50,),
    "fc1.weight": (500, 800), "fc1.bias": (500,), "fc2.weight": (10, 500), "fc2.bias": (10,),
}  # fmt: skip


def main():
    options = parse()
    classify, images, labels, numbers = load(options)
    start = time.perf_counter()
    found = js.certify(
        jax.random.key(options.seed), classify, js.noises.Gaussian(options.sigma), images, n0=options.n0, n=options.n,
        alpha=options.alpha, image_ids=numbers, batch_size=options.batch_size, ledger=options.ledger, progress=True,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    print(f"{found.samples.sum():,} votes in {seconds:.0f} s")
    print(js.analysis.summary(found, labels, np.arange(4) * min(options.sigma, 0.5)))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    js.analysis.write_log(options.output, found, labels, image_ids=numbers, times=[seconds / len(found)] * len(found))
    figure = js.analysis.plot_certified_accuracy(found, labels).figure
    figure.savefig(options.output.with_suffix(".png"), dpi=120, bbox_inches="tight")
    print(f"wrote {options.output} and {options.output.with_suffix('.png')}")


if __name__ == "__main__":
    main()
