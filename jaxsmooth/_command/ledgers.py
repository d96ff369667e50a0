"""merge and recertify: recorded votes together, and what they prove."""

import argparse
import pathlib
import sys
from typing import Any

import numpy as np

from jaxsmooth import _check, analysis, designs, ledger
from jaxsmooth._certificates import Certificates
from jaxsmooth._command.words import labels_in, noise_of, norm_of, refuse
from jaxsmooth._noise import takes_views
from jaxsmooth._types import Noise
from jaxsmooth._verbs import recertify
from jaxsmooth.designs.fixed import draws_to_record
from jaxsmooth.ledger.fingerprint import noise_header


def merge(options: argparse.Namespace) -> int:
    """Ledgers of one run into one."""
    images = ledger.merge(options.parts, options.into).image_ids
    print(f"wrote {options.into}: votes of {len(images)} images")
    return 0


def certify_again(options: argparse.Namespace) -> int:
    """Certificates from the votes of a ledger."""
    recorded = ledger.read(options.ledger)
    if not len(recorded.image_ids):
        raise ValueError(f"{options.ledger} holds no votes: the run was ended before its first image was finished")
    if "ballot" in recorded.header:
        raise ValueError(
            f"{options.ledger} counts {recorded.header['ballot']}, and not the votes of a class for an image; call "
            "js.recertify with designs.Outputs, designs.Values or the design of yours from Python"
        )
    labels = None if options.labels is None else _labels(options.labels, recorded.image_ids)
    noise = noise_of(recorded.header["noise"])
    header = noise_header(_check.float32_noise(noise), tuple(recorded.header["event"]))
    if header["noise"] == recorded.header["noise"] and header["noise_digest"] != recorded.header["noise_digest"]:
        raise ValueError(
            f"{options.ledger} is of the noise {header['noise']} with more digits than these words have, or of another "
            "version of JAX; call js.recertify from Python"
        )
    found = recertify(recorded, noise, _design(options, recorded, noise), labels=labels)
    if labels is None:
        print(found)
    else:
        print(analysis.table({options.ledger.stem: (found, labels)}, options.radii))
    if options.output is not None:
        _write(options.output, found, labels, recorded.image_ids)
    return 0


def _design(options: argparse.Namespace, recorded: ledger.Ledger, noise: Noise) -> designs.AbstractDesign:
    """What the options ask of recorded votes."""
    if takes_views(noise):
        refuse(
            options, ("radii", "n", "n0", "alpha", "norm", "runner_up"), "certificates without chance, which have none"
        )
        return designs.Exact(strict=True)
    alpha, norm = 1e-3 if options.alpha is None else options.alpha, norm_of(options.norm or "2")
    if options.radii is not None:
        refuse(options, ("n0", "runner_up"), "certificates of given --radii")
        if options.n is None:
            raise ValueError("--n must be given with --radii: the n_max of the run, which the ledger does not hold")
        return designs.Curve(options.radii, n_max=options.n, alpha=alpha, norm=norm)
    n0 = 100 if options.n0 is None else options.n0
    if not any(n0 in recorded.reach(image) for image in recorded.image_ids.tolist()):
        raise ValueError(
            f"--n0 must be another one: {options.ledger} does not hold the votes of the first {n0} draws of any image "
            "apart from the others"
        )
    n = _fixed_n(recorded, n0) if options.n is None else options.n
    return designs.Fixed(n0, n, alpha=alpha, norm=norm, runner_up=options.runner_up or "complement")


def _fixed_n(recorded: ledger.Ledger, n0: int) -> int:
    """The n of a run of ``certify``, as where it wrote votes down tells; of other runs votes decided how many."""
    ends = {tuple(sorted(recorded.reach(image))) for image in recorded.image_ids.tolist()}
    n = max(map(max, ends)) - n0
    if n < 1 or ends != {(0, n0, *(n0 + end for end in draws_to_record(n).tolist() if end != n), n0 + n)}:
        raise ValueError(
            "--n must be given, as it was chosen before the votes were seen: the ledger is not of one certify with "
            f"--n0 {n0}, and how many votes another run draws depends on them"
        )
    return n


def _labels(path: str, image_ids: np.ndarray) -> np.ndarray:
    """The labels of these images: in the order of their ids, or, of a text with two columns, by id."""
    found = labels_in(path)
    if found.ndim == 2 and found.shape[1] == 2:
        of = dict(found.tolist())
        if len(of) < len(found):
            raise ValueError(f"{path} must have one label of every image; some have several")
        missing = [image for image in image_ids.tolist() if image not in of]
        if missing:
            raise ValueError(f"{path} must have the label of every image; image {missing[0]} has none")
        return np.array([of[image] for image in image_ids.tolist()])
    if (image_ids != np.arange(len(image_ids))).any():
        shown = ", ".join(map(str, image_ids[:5].tolist())) + (", ..." if len(image_ids) > 5 else "")
        print(f"labels are taken in the order of the image ids, {shown}", file=sys.stderr)
    return found


def _write(path: pathlib.Path, found: Certificates, labels: Any, image_ids: np.ndarray) -> None:
    if path.suffix == ".npz":
        found.save(path)
    elif labels is None:
        raise ValueError(f"--output {path} is a log, which needs --labels; or write an archive, NAME.npz")
    else:
        analysis.write_log(path, found, labels, image_ids=image_ids)
    print(f"wrote {path}")
