"""Train a network for randomized smoothing with any objective, and certify it.

    python examples/train.py
    python examples/train.py --dataset mnist --data-dir DIR --sigma 0.5 --objective consistency --epochs 5
    python examples/train.py --dataset cifar10 --data-dir DIR --network resnet110 --augment --preset

The first command takes less than a minute on two CPU cores: digits, an MLP, consistency regularization at sigma 0.25;
expect an average certified radius of about 0.57. With --preset hyperparameters, epochs and optimizer come from the
papers; fewer --epochs shrink their schedules. Batches are split over all devices. The state is saved after every epoch
below --output: after an interruption the same command goes on from there, to the same weights. CAT-RS needs a teacher:
train with --objective gaussian --votes-on-training 10000 first, then pass its output folder as --teacher.
"""

import argparse
import functools
import hashlib
import pathlib
import time

import input_pipeline
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from checkpoints import Checkpoints
from frameworks import FRAMEWORKS
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from tqdm.auto import tqdm
from training_plan import OBJECTIVES, make_plan

import jaxsmooth as js
import jaxsmooth.objectives as jo

NETWORKS = {"digits": "mlp", "mnist": "lenet", "fashion_mnist": "lenet", "imagenet2012": "resnet50"}
# Without --preset.
HYPERPARAMETERS = {"lam": 5.0, "eta": 0.5, "epsilon": 0.5, "attack_steps": 4, "ramp_epochs": 0}
# What may differ when a run goes on from a checkpoint.
NOT_TRAINING = (
    "output",
    "data_dir",
    "loader",
    "test_split",
    "images",
    "evaluate_images",
    "n",
    "votes_on_training",
    "quick",
)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--dataset", default="digits")
    add("--data-dir", help="folder of prepared data sets")
    add("--split", default="train", help="images to train on, for example train[:10000]")
    add("--test-split", help="images to certify; by default test, of ImageNet validation")
    add("--classes", type=int, help="by default 10, of ImageNet 1000")
    add("--loader", choices=["arrays", "grain"], default="arrays", help="all images in memory, or read as needed")
    add("--augment", action="store_true", help="random crops and reflections")
    add("--network", help="mlp, lenet, resnet20, resnet110, resnet50, ...; by default one that suits the data")
    add("--framework", choices=list(FRAMEWORKS), default="linen")
    add("--bfloat16", action="store_true", help="compute ResNets in bfloat16; noise and losses stay float32")
    add("--sigma", type=float, default=0.25, help="of the Gaussian noise, pixels in [0, 1]")
    add("--objective", choices=OBJECTIVES, default="consistency")
    add("--preset", action="store_true", help="published hyperparameters, epochs and optimizer")
    add("--lam", type=float, help="weight of the regularizer, by default 5")
    add("--eta", type=float, help="weight of the entropy, for consistency, by default 0.5")
    add("--num-samples", type=int, help="noisy copies of an image; by default as published")
    add("--epsilon", type=float, help="radius of attacks, by default 0.5")
    add("--attack-steps", type=int, help="by default 4")
    add("--ramp-epochs", type=float, help="raise lam, eta and epsilon from 0 over so many epochs, by default 0")
    add("--teacher", type=pathlib.Path, help="for CAT-RS, the output folder of a run with --votes-on-training")
    add("--votes-on-training", type=int, default=0, help="in the end, votes on every training image, for students")
    add("--epochs", type=int, help="with --preset, schedules and warm-ups shrink with it")
    add("--batch-size", type=int, help="noisy copies in a step; with MACER images in a step")
    add("--learning-rate", type=float)
    add("--weight-decay", type=float)
    add("--clip", type=float, help="largest norm of a gradient, by default 5; 0, as with --preset, for no limit")
    add("--nesterov", action="store_true")
    add("--seed", type=int, default=0)
    add("--images", type=int, default=500, help="test images to certify")
    add("--evaluate-images", type=int, default=200, help="test images that vote after every epoch")
    add("--n", type=int, default=10_000, help="votes per image")
    add("--output", type=pathlib.Path, default=pathlib.Path("outputs/train"))
    add("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args(arguments)
    given = [name for name in (*HYPERPARAMETERS, "num_samples") if getattr(options, name) is not None]
    if options.preset and given:
        parser.error(f"--preset sets --{given[0].replace('_', '-')}: leave out one of them")
    if options.clip is None:
        options.clip = 0.0 if options.preset else 5.0
    for name, value in HYPERPARAMETERS.items():
        setattr(options, name, value if getattr(options, name) is None else getattr(options, name))
    if options.quick:
        options.epochs, options.images, options.evaluate_images, options.n = options.epochs or 2, 20, 20, 200
    imagenet = options.dataset.startswith("imagenet")
    options.network = options.network or NETWORKS.get(options.dataset, "resnet20")
    options.test_split = options.test_split or ("validation" if imagenet else "test")
    options.classes = options.classes or (1000 if imagenet else 10)
    return options


def make_step(network, plan, noise, key, augment):
    """One step of training, compiled: a call from Python for each, since CPUs are slow at convolutions in loops."""

    def step(state, images, labels, targets):
        step_key = jax.random.fold_in(key, state["step"])
        if augment:
            # No step has this number, and the objective splits the key of its own.
            crop_key = jax.random.fold_in(jax.random.fold_in(key, 2**31), state["step"])
            images = input_pipeline.crop_and_flip(crop_key, images)

        def loss(weights):
            apply, attack = (
                functools.partial(f, weights, state["statistics"]) for f in (network.train, network.evaluate)
            )
            options = {"step": state["step"], "has_state": True, "attack_apply": attack, "targets": targets}
            return plan.objective(step_key, apply, noise, images, labels, **options)

        (value, aux), gradient = jax.value_and_grad(loss, has_aux=True)(state["weights"])
        update, optimizer = plan.optimizer.update(gradient, state["optimizer"], state["weights"])
        new = {
            "weights": optax.apply_updates(state["weights"], update),
            # Of the passes, the noisy one sees what certification feeds.
            "statistics": aux.states["noisy"],
            "optimizer": optimizer,
            "step": state["step"] + 1,
        }
        return new, {"loss": value, "accuracy": aux.accuracy, "predicted": aux.predicted, "labelled": aux.labelled}

    return jax.jit(step, donate_argnums=0)


def train(options, network, plan, noise, key, mesh, held_out, after_epoch=lambda epoch, measured: None):
    """Train from the last checkpoint on, calling ``after_epoch`` once each is saved; return the state."""
    everywhere, apart = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("data",)))
    state = {"weights": network.weights, "statistics": network.statistics}
    state |= {"optimizer": plan.optimizer.init(network.weights), "step": jnp.int32(0)}
    settings = {name: str(value) for name, value in vars(options).items() if name not in NOT_TRAINING}
    checkpoints = Checkpoints(options.output, settings | {"objective": repr(plan.objective), "size": str(plan.size)})
    state = checkpoints.restore(jax.device_put(state, everywhere))
    first = int(state["step"])
    step = make_step(network, plan, noise, key, options.augment)
    frequencies = None if options.teacher is None else teachers(options)
    batches = input_pipeline.batches(
        options.loader, options.dataset, options.split, options.data_dir, plan.size, options.seed, first
    )
    for epoch in range(first // plan.per_epoch, plan.epochs):
        measured = []
        for _ in (bar := tqdm(range(plan.per_epoch), desc=f"epoch {epoch + 1}/{plan.epochs}", unit="step")):
            images, labels, numbers = next(batches)
            targets = None if frequencies is None else frequencies[numbers]
            state, now = step(state, *jax.device_put((images, labels, targets), apart))
            measured.append(now)
        total = jax.tree.map(lambda *values: np.sum(values, 0), *jax.device_get(measured))
        accuracy = smoothed_accuracy(network, state, noise, key, mesh, *held_out)
        bar.write(
            f"epoch {epoch + 1}  loss {total['loss'] / plan.per_epoch:.4f}  accuracy under noise "
            f"{total['accuracy'] / plan.per_epoch:.3f}  smoothed test accuracy {accuracy:.3f}"
        )
        if collapse := jo.class_collapse(total["predicted"], total["labelled"]):
            bar.write(f"class collapse: {collapse}")
        checkpoints.save(epoch + 1, state)
        after_epoch(epoch + 1, {"loss": float(total["loss"] / plan.per_epoch), "accuracy": accuracy})
    checkpoints.close()
    return state


def teachers(options):
    """What the network of ``--teacher`` says of each training image, which must be those of this run."""
    with np.load(options.teacher / "frequencies.npz") as file:
        frequencies, of = file["frequencies"], str(file["of"])
    if of != (wanted := f"{options.dataset} {options.split}"):
        raise SystemExit(f"--teacher {options.teacher} voted on {of}, and this run trains on {wanted}")
    return frequencies


def digest(state):
    """What tells these weights from all others."""
    leaves = jax.tree.leaves(state["weights"])
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest()[:16]


def smoothed_accuracy(network, state, noise, key, mesh, images, labels, n=100):
    """Accuracy of the vote of ``n`` noisy copies; cheap, with no guarantee."""
    classify = network.classifier(state["weights"], state["statistics"])
    votes = js.count_votes(key, classify, noise, images, n, mesh=mesh if mesh.size > 1 else None, batch_size=200)
    return float(np.mean(np.argmax(np.asarray(votes.counts), -1) == labels))


def certify(options, network, state, noise, key, mesh):
    """Certify test images; print the numbers, write the log and the figure."""
    images, labels = js.datasets.load(
        options.dataset, f"{options.test_split}[:{options.images}]", data_dir=options.data_dir
    )
    classify = network.classifier(state["weights"], state["statistics"])
    mesh = mesh if mesh.size > 1 else None
    certificates = js.certify(key, classify, noise, images, n=options.n, mesh=mesh, progress=True)
    print(js.analysis.summary(certificates, labels, np.arange(6) * options.sigma / 2))
    js.analysis.write_log(options.output / "certificates.tsv", certificates, labels)
    title = f"{options.dataset}, {options.objective}, sigma {options.sigma:g}, pixels in [0, 1]"
    axes = js.analysis.plot_certified_accuracy(certificates, labels, title=title)
    axes.figure.savefig(options.output / "certified_accuracy.png", dpi=150)
    plt.close(axes.figure)


def prepare(options):
    """``(network, plan, mesh, held_out)``: everything that training takes besides noise and key."""
    options.output.mkdir(parents=True, exist_ok=True)
    mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))
    evaluated = f"{options.test_split}[:{options.evaluate_images}]"
    held_out = js.datasets.load(options.dataset, evaluated, data_dir=options.data_dir)
    plan = make_plan(options, len(js.datasets.source(options.dataset, options.split, data_dir=options.data_dir)))
    dtype, shape = jnp.bfloat16 if options.bfloat16 else jnp.float32, held_out[0].shape[1:]
    make = FRAMEWORKS[options.framework]
    network = make(options.network, options.dataset, options.classes, shape, options.seed, dtype)
    print(f"{plan.objective}\nfrom {plan.source}; {plan.size} images in a step, {plan.per_epoch} steps in an epoch")
    return network, plan, mesh, held_out


def main():
    options = parse()
    train_key, test_key, teacher_key = jax.random.split(jax.random.key(options.seed), 3)
    noise, data_dir = js.noises.Gaussian(options.sigma), options.data_dir
    network, plan, mesh, held_out = prepare(options)
    start = time.perf_counter()
    state = train(options, network, plan, noise, train_key, mesh, held_out)
    print(f"trained {plan.epochs} epochs in {time.perf_counter() - start:.0f} s; weights {digest(state)}")
    certify(options, network, state, noise, test_key, mesh)
    if options.votes_on_training:
        images, _ = js.datasets.load(options.dataset, options.split, data_dir=data_dir)
        classify = network.classifier(state["weights"], state["statistics"])
        votes = js.count_votes(teacher_key, classify, noise, images, options.votes_on_training)
        of = f"{options.dataset} {options.split}"
        np.savez(options.output / "frequencies.npz", frequencies=jo.frequencies(votes), of=of)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
