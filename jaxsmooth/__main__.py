"""The command ``jaxsmooth``, or ``python -m jaxsmooth``: what one does with files, without a script.

    jaxsmooth report gaussian.tsv consistency.tsv --baseline gaussian --figure curves.png
    jaxsmooth merge part-*.jsonl --into votes.jsonl
    jaxsmooth recertify votes.jsonl --alpha 1e-6 --labels labels.npy --output log.tsv
    jaxsmooth self-check
    jaxsmooth throughput my_model:classify --shape 32 32 3 --sigma 0.5

``jaxsmooth COMMAND --help`` has the options.
"""

import argparse
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import get_args

from jaxsmooth._command import FAMILIES, certify_again, check_devices, merge, report, throughput
from jaxsmooth._version import __version__
from jaxsmooth.designs.fixed import RunnerUp


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
        print(f"jaxsmooth: {_in_words(error)}", file=sys.stderr)
        return 2


def _in_words(error: Exception) -> str:
    """What went wrong; of a file, which and why, without the number of the error."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jaxsmooth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        made.set_defaults(run=run)
        return made

    one = command("report", report)
    one.add_argument(
        "logs", nargs="+", metavar="LOG",
        help="of write_log or another program, or certificates.save, .npz, of any kind; NAME=LOG names it",
    )  # fmt: skip
    one.add_argument("--labels", metavar="FILE", help="true classes or values, for files .npz")
    one.add_argument("--ignore-label", type=int, metavar="LABEL", help="outputs of this true class are not scored")
    one.add_argument("--radii", type=float, nargs="+", help="by default about five round ones")
    one.add_argument("--format", choices=["text", "markdown", "latex", "csv"], default="text")
    one.add_argument("--baseline", metavar="NAME", help="adds the paired differences from this run")
    one.add_argument("--alpha", type=float, help="an interval misses with this probability; by default 0.05")
    one.add_argument("--figure", type=pathlib.Path, metavar="FILE", help="draws certified accuracy with bands")

    one = command("merge", merge)
    one.add_argument("parts", nargs="+", metavar="LEDGER")
    one.add_argument(
        "--into", "--output", required=True, type=pathlib.Path, help="the file to write; it must not exist"
    )

    one = command("recertify", certify_again)
    one.add_argument("ledger", type=pathlib.Path, metavar="LEDGER")
    one.add_argument("--n", type=int, help="votes behind a bound; by default those of a run of certify")
    one.add_argument("--n0", type=int, help="votes that select the class; by default 100")
    one.add_argument(
        "--radii", type=float, nargs="+", help="certify these radii, as certify_curve does, with --n its n_max"
    )
    one.add_argument("--alpha", type=float, help="by default 0.001")
    one.add_argument("--norm", help="1, 2 or inf; by default 2")
    one.add_argument("--runner-up", choices=get_args(RunnerUp), help="by default complement")
    one.add_argument(
        "--labels", metavar="FILE",
        help=".npy, or text with one label a line, in the order of the image ids; or text of image ids and labels",
    )  # fmt: skip
    one.add_argument("--output", type=pathlib.Path, metavar="FILE", help="a log, or an archive with the suffix .npz")

    command("self-check", check_devices)

    one = command("throughput", throughput)
    one.add_argument("classifier", nargs="?", metavar="MODULE:NAME", help="a callable; by default dense layers")
    one.add_argument("--shape", type=int, nargs="+", default=[32, 32, 3], help="of one image; by default 32 32 3")
    one.add_argument("--noise", default="Gaussian", choices=[n for n in FAMILIES if n not in ("GaussianAt", "Splits")])
    one.add_argument("--sigma", type=float, default=0.25)
    one.add_argument("--batch-size", type=int)
    return parser


if __name__ == "__main__":
    sys.exit(main())
