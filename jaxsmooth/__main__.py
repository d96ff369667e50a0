"""The command ``jaxsmooth``, or ``python -m jaxsmooth``: what one does with files, without a script.

    jaxsmooth report gaussian.tsv consistency.tsv --baseline gaussian --figure curves.png
    jaxsmooth merge part-*.jsonl --into votes.jsonl
    jaxsmooth recertify votes.jsonl --alpha 1e-6 --labels labels.npy --output log.tsv
    jaxsmooth self-check
    jaxsmooth throughput my_model:classify --shape 32 32 3 --sigma 0.5

``jaxsmooth COMMAND --help`` has the options.
"""

import argparse
import ast
import importlib
import math
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, get_args

import jax
import numpy as np

from jaxsmooth import _check, analysis, designs, ledger, noises
from jaxsmooth._certificates import AbstractCertificates, Certificates, OutputCertificates, ValueCertificates
from jaxsmooth._noise import takes_views
from jaxsmooth._types import Noise
from jaxsmooth._verbs import recertify, self_check
from jaxsmooth._version import __version__
from jaxsmooth.designs.fixed import RunnerUp
from jaxsmooth.sampling.throughput import measure_throughput


def report(options: argparse.Namespace) -> int:
    """The table of several logs, or files of certificates, and their figure."""
    runs = _named(options.logs)
    if any(path.suffix == ".npz" for path in runs.values()):
        return _report_saved(runs, options)
    print(analysis.table(runs, options.radii, format=options.format, baseline=options.baseline, alpha=options.alpha))
    if options.figure is not None:
        found = {name: analysis.read_log(path) for name, path in runs.items()}
        axes = analysis.plot_certified_accuracy(
            {name: certificates for name, (certificates, _) in found.items()},
            {name: labels for name, (_, labels) in found.items()},
            alpha=options.alpha,
        )
        _save(axes, options.figure)
    return 0


def _report_saved(runs: dict[str, pathlib.Path], options: argparse.Namespace) -> int:
    """The same of archives that ``save`` of certificates wrote, all of one kind."""
    others = [str(path) for path in runs.values() if path.suffix != ".npz"]
    if others:
        raise ValueError(f"LOG: files of save, .npz, and logs go into tables of their own; got {', '.join(others)}")
    found: dict[str, Any] = {name: AbstractCertificates.load(path) for name, path in runs.items()}
    kinds = {type(value).__name__: value for value in found.values()}
    if len(kinds) > 1:
        raise ValueError(f"LOG: certificates of several kinds, {', '.join(kinds)}; report each kind by itself")
    first, labels = next(iter(found.values())), options.labels
    if isinstance(first, ValueCertificates):
        summaries = {name: analysis.value_summary(value, labels) for name, value in found.items()}
        draw = lambda: analysis.plot_values(first, labels)
    elif labels is None:
        raise ValueError(f"--labels must be given: the true classes of the {len(first)} images")
    elif isinstance(first, OutputCertificates):
        ignored = options.ignore_label
        summaries = {
            name: analysis.output_summary(value, labels, ignore_label=ignored) for name, value in found.items()
        }
        draw = lambda: analysis.plot_output_map(first, labels, ignore_label=ignored)
    else:
        scored = {name: (value, labels) for name, value in found.items()}
        labels_of: dict[str, Any] = dict.fromkeys(found, labels)
        given = {"format": options.format, "baseline": options.baseline, "alpha": options.alpha}
        print(analysis.table(scored, options.radii, **given))
        draw = lambda: analysis.plot_certified_accuracy(found, labels_of, alpha=options.alpha)
        summaries = None
    if summaries is not None:
        print(analysis.summary_table(summaries, format=options.format))
    if options.figure is not None:
        _save(draw(), options.figure)
    return 0


def _save(axes: Any, path: pathlib.Path) -> None:
    axes.figure.savefig(path, dpi=150)
    print(f"wrote {path}", file=sys.stderr)


def merge(options: argparse.Namespace) -> int:
    """Ledgers of one run into one."""
    images = ledger.merge(options.parts, options.into).image_ids
    print(f"wrote {options.into}: votes of {len(images)} images")
    return 0


def certify_again(options: argparse.Namespace) -> int:
    """Certificates from the votes of a ledger."""
    recorded = ledger.read(options.ledger)
    labels = None if options.labels is None else _labels(options.labels)
    noise = _noise_of(recorded)
    found = recertify(recorded, noise, _design(options, recorded, noise), labels=labels)
    if labels is None:
        print(found)
    else:
        print(analysis.table({options.ledger.stem: (found, labels)}, options.radii))
    if options.output is not None:
        _write(options.output, found, labels, recorded.image_ids)
    return 0


def check_devices(options: argparse.Namespace) -> int:
    """Whether certificates made on these devices can be trusted."""
    del options
    found = self_check(mesh=_all_devices())
    print(found)
    return 0 if found.passed else 1


def throughput(options: argparse.Namespace) -> int:
    """Samples per second of a classifier of yours, or of a small network."""
    noise = getattr(noises, options.noise)(options.sigma)
    x = np.zeros((1, *options.shape), np.float32)
    classify = _small_network(options.shape) if options.classifier is None else _imported(options.classifier)
    key = jax.random.key(0)
    print(measure_throughput(key, classify, noise, x, batch_size=options.batch_size, mesh=_all_devices()))
    return 0


def _named(logs: Sequence[str]) -> dict[str, pathlib.Path]:
    """Logs by the shortest names that tell them apart; ``NAME=PATH`` names one, a folder stands for its log."""
    paths = [pathlib.Path(log.partition("=")[2] if _has_name(log) else log) for log in logs]
    paths = [path / "certificates.tsv" if path.is_dir() else path for path in paths]
    parts = [(*path.resolve().parent.parts, path.stem) for path in paths]
    depth = next((d for d in range(1, 100) if len({part[-d:] for part in parts}) == len(parts)), 1)
    names = [
        log.partition("=")[0] if _has_name(log) else "/".join(part[-depth:])
        for log, part in zip(logs, parts, strict=True)
    ]
    if len(set(names)) < len(names):
        raise ValueError(f"LOG: two runs have the same name, among {', '.join(names)}; name them with NAME=LOG")
    return dict(zip(names, paths, strict=True))


def _has_name(log: str) -> bool:
    return "=" in log and not os.path.exists(log)


def _noise_of(recorded: ledger.Ledger) -> Noise:
    """The noise of a ledger's first line, if it is of the library and all numbers."""
    words = recorded.header["noise"]
    family, _, fields = words.removesuffix(")").partition("(")
    try:
        call = ast.parse(f"dict({fields})", mode="eval").body
        parameters = {str(word.arg): ast.literal_eval(word.value) for word in getattr(call, "keywords", [])}
    except (SyntaxError, ValueError):
        parameters = None
    if family not in _FAMILIES or parameters is None:
        raise ValueError(
            f"LEDGER is of the noise {words}, which its words do not give back; call js.recertify from Python"
        )
    return getattr(noises, family)(**parameters)


def _design(options: argparse.Namespace, recorded: ledger.Ledger, noise: Noise) -> designs.AbstractDesign:
    if takes_views(noise):
        _refuse(
            options, ("radii", "n", "n0", "alpha", "norm", "runner_up"), "certificates without chance, which have none"
        )
        return designs.Exact(strict=recorded.header.get("strict", False))
    alpha, norm = 1e-3 if options.alpha is None else options.alpha, _norm(options.norm or "2")
    if options.radii is not None:
        _refuse(options, ("n0", "runner_up"), "certificates of given --radii")
        n_max = 100_000 if options.n is None else options.n
        return designs.Curve(options.radii, n_max=n_max, alpha=alpha, norm=norm)
    n, n0 = options.n, 100 if options.n0 is None else options.n0
    if n is None:
        recorded_draws = {max(recorded.reach(image)) for image in recorded.image_ids.tolist()}
        if len(recorded_draws) > 1:
            raise ValueError(
                "--n must be given: the ledger holds more draws of some images than of others, "
                f"{min(recorded_draws)} to {max(recorded_draws)}"
            )
        n = recorded_draws.pop() - n0
    return designs.Fixed(n0, n, alpha=alpha, norm=norm, runner_up=options.runner_up or "complement")


def _refuse(options: argparse.Namespace, names: Sequence[str], of: str) -> None:
    """Refuse options that would change nothing."""
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name) is not None]
    if given:
        raise ValueError(f"{', '.join(given)} must be left out of {of}")


def _write(path: pathlib.Path, found: Certificates, labels: Any, image_ids: np.ndarray) -> None:
    if path.suffix == ".npz":
        found.save(path)
    elif labels is None:
        raise ValueError(f"--output {path} is a log, which needs --labels; or write an archive, NAME.npz")
    else:
        analysis.write_log(path, found, labels, image_ids=image_ids)
    print(f"wrote {path}")


def _all_devices() -> jax.sharding.Mesh | None:
    return jax.make_mesh((jax.device_count(),), ("draws",)) if jax.device_count() > 1 else None


def _imported(name: str) -> Any:
    """What ``MODULE:NAME`` names, also of a module in the current folder."""
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"CLASSIFIER must be MODULE:NAME, such as my_model:classify; got {name!r}")
    sys.path.insert(0, os.getcwd())
    found = vars(importlib.import_module(module))
    if attribute not in found:
        raise ValueError(f"CLASSIFIER: the module {module} has no {attribute}; it has {', '.join(found)}")
    return found[attribute]


def _small_network(shape: Sequence[int]) -> jax.tree_util.Partial:
    """Dense layers of 1024 units."""
    keys = jax.random.split(jax.random.key(1), 3)
    sizes = (math.prod(shape), 1024, 1024, 10)
    weights = [
        jax.random.normal(key, size) / size[0] ** 0.5 for key, *size in zip(keys, sizes, sizes[1:], strict=False)
    ]

    def apply(weights: Sequence[jax.Array], x: jax.Array) -> jax.Array:
        x = x.reshape(len(x), -1)
        for w in weights[:-1]:
            x = jax.nn.relu(x @ w)
        return x @ weights[-1]

    return jax.tree_util.Partial(apply, weights)


def _norm(text: str) -> float:
    return _check.norm({"1": 1, "2": 2}.get(text, text), "--norm")


def _labels(path: str) -> np.ndarray:
    if path.endswith(".npy"):
        return np.load(path)
    found = np.loadtxt(path, ndmin=1)
    return found.astype(np.int64) if (found == np.rint(found)).all() else found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jaxsmooth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, **more: Any) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=run.__doc__, description=run.__doc__, **more)
        made.set_defaults(run=run)
        return made

    one = command("report", report)
    one.add_argument(
        "logs", nargs="+", metavar="LOG",
        help="of write_log or another program, or certificates.save, .npz, of any kind; NAME=LOG names it",
    )  # fmt: skip
    one.add_argument("--labels", type=_labels, metavar="FILE", help="true classes or values, for files .npz")
    one.add_argument("--ignore-label", type=int, metavar="LABEL", help="outputs of this true class are not scored")
    one.add_argument("--radii", type=float, nargs="+", help="by default about five round ones")
    one.add_argument("--format", choices=["text", "markdown", "latex", "csv"], default="text")
    one.add_argument("--baseline", metavar="NAME", help="adds the paired differences from this run")
    one.add_argument("--alpha", type=float, default=0.05, help="an interval misses with this probability")
    one.add_argument("--figure", type=pathlib.Path, metavar="FILE", help="draws certified accuracy with bands")

    one = command("merge", merge)
    one.add_argument("parts", nargs="+", metavar="LEDGER")
    one.add_argument(
        "--into", "--output", required=True, type=pathlib.Path, help="the file to write; it must not exist"
    )

    one = command("recertify", certify_again)
    one.add_argument("ledger", type=pathlib.Path, metavar="LEDGER")
    one.add_argument("--n", type=int, help="votes behind a bound; by default those of the run")
    one.add_argument("--n0", type=int, help="votes that select the class; by default 100")
    one.add_argument("--radii", type=float, nargs="+", help="certify these radii, as certify_curve does")
    one.add_argument("--alpha", type=float, help="by default 0.001")
    one.add_argument("--norm", help="1, 2 or inf; by default 2")
    one.add_argument("--runner-up", choices=get_args(RunnerUp), help="by default complement")
    one.add_argument("--labels", metavar="FILE", help=".npy, or text with one label a line")
    one.add_argument("--output", type=pathlib.Path, metavar="FILE", help="a log, or an archive with the suffix .npz")

    command("self-check", check_devices)

    one = command("throughput", throughput)
    one.add_argument("classifier", nargs="?", metavar="MODULE:NAME", help="a callable; by default dense layers")
    one.add_argument("--shape", type=int, nargs="+", default=[32, 32, 3], help="of one image; by default 32 32 3")
    one.add_argument("--noise", default="Gaussian", choices=[n for n in _FAMILIES if n not in ("GaussianAt", "Splits")])
    one.add_argument("--sigma", type=float, default=0.25)
    one.add_argument("--batch-size", type=int)
    return parser


_FAMILIES = [name for name in dir(noises) if name[0].isupper() and not name.startswith(("Abstract", "Input"))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the words after ``jaxsmooth``; by default those of the process.

    Returns:
        The exit status: 0, 1 if the devices fail their check, 2 for what cannot be done.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"jaxsmooth: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
