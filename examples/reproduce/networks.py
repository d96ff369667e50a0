"""Trained networks for the scripts of this folder, by ``train.py``: trained once, and gone on with after a kill."""

import argparse
import dataclasses
import json
import pathlib
import sys
from typing import Any, NamedTuple

import jax

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import records
import train
from runs import Run

import jaxsmooth as js

TINY = 1e-6  # stands for no noise, where a sigma has to be positive


class Fitted(NamedTuple):
    """A trained network: what ``js.certify`` takes, its weights, and what to record about it."""

    classify: Any
    weights: Any
    facts: dict[str, Any]


def fitted(
    folder: pathlib.Path, options: argparse.Namespace, noise: Any, arguments: list[Any], first: Any = None
) -> Fitted:
    """A network with the arguments of ``train.py``, under any noise; from the weights ``first``, if given.

    The state of every epoch is below ``folder``; epochs and times are in its epochs.jsonl.
    """
    given = [
        "--dataset",
        "mnist",
        "--clip",
        "0",
        "--evaluate-images",
        "100",
        *arguments,
        "--data-dir",
        options.data_dir,
    ]
    given += ["--n", "200", "--images", "10", "--output", folder]
    if options.quick:
        given += ["--split", "train[:512]", "--epochs", "1"]
    settings = train.parse([str(argument) for argument in given])
    network, plan, mesh, held_out = train.prepare(settings)
    if first is not None:
        network = dataclasses.replace(network, weights=first)
    clock, history = records.Clock(folder / "training_time.json"), folder / "epochs.jsonl"

    def after_epoch(epoch, measured):
        with history.open("a") as file:
            file.write(json.dumps({"epoch": epoch, **measured, **clock.read()}) + "\n")

    key, _, _ = jax.random.split(jax.random.key(settings.seed), 3)
    state = train.train(settings, network, plan, noise, key, mesh, held_out, after_epoch)
    facts = {"objective": repr(plan.objective), "source": plan.source, "epochs": plan.epochs}
    facts |= {"images in a step": plan.size, "seed": settings.seed, "weights": train.digest(state)}
    return Fitted(network.classifier(state["weights"], state["statistics"]), state["weights"], facts | clock.read())


def fitted_run(run: Run, options: argparse.Namespace) -> Fitted:
    """A training of the published protocol."""
    arguments = ["--sigma", run.sigma, "--objective", run.objective, "--preset", "--seed", run.seed]
    if run.epochs:
        arguments += ["--epochs", run.epochs]
    return fitted(options.work / "training" / run.name, options, js.noises.Gaussian(run.sigma), arguments)


def without_noise(options: argparse.Namespace) -> Fitted:
    """LeNet, ten epochs without noise."""
    arguments = ["--objective", "gaussian", "--sigma", TINY, "--epochs", "10", "--learning-rate", "0.05"]
    folder = options.work / "training/without-noise"
    return fitted(folder, options, js.noises.Gaussian(TINY), [*arguments, "--batch-size", "128"])


def trained_before(run: Run, options: argparse.Namespace) -> bool:
    """Whether the weights of a whole run are there, so that nothing has to be trained."""
    # Certification has ended, which begins after the last epoch.
    return options.quick or (options.work / "training" / run.name / "certification_time.json").exists()
