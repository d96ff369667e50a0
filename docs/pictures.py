"""The pictures of the documentation, each from the command of an example, made small.

    python docs/pictures.py                     # all of them; about 20 minutes on two CPU cores
    python docs/pictures.py quickstart          # one
    python docs/pictures.py hidden_cost --outputs outputs    # from the files of a run that was made before

Writes docs/images/NAME.png with at most 1200 pixels in width and 128 colours.
"""

import argparse
import pathlib
import shlex
import subprocess
import sys
import tempfile

from PIL import Image

ROOT = pathlib.Path(__file__).parent.parent
# Name of the picture: the command, without --output, and the file it writes.
PICTURES = {
    "quickstart": ("examples/quickstart.py", "quickstart.png"),
    "floating_point": ("examples/floating_point.py", "floating_point.png"),
    "compare_noises": ("examples/compare_noises.py --only-radii", "compare_noises_radii.png"),
    "train": ("examples/train.py", "certified_accuracy.png"),
    "compare_training": ("examples/compare_training.py", "compare_training.png"),
    "training_costs": ("examples/training_costs.py", "training_costs_mlp.png"),
    "compare_logs": ("", "compare_logs.png"),  # needs two runs of train.py; made by hand and taken with --outputs
    "input_dependent": ("examples/input_dependent.py", "input_dependent_digits.png"),
    "admissible_ratio": ("examples/input_dependent.py", "admissible_ratio.png"),
    "segmentation": ("examples/segmentation.py", "segmentation.png"),
    "regression": ("examples/regression.py", "regression.png"),
    "hidden_cost": ("examples/hidden_cost.py", "hidden_cost_classes.png"),
    "hidden_cost_theory": ("examples/hidden_cost.py", "hidden_cost_theory.png"),
    "noise_augmentation": ("examples/noise_augmentation.py", "noise_augmentation_grid.png"),
    "denoised": ("examples/denoised.py", "denoised_digits.png"),
    "certify": ("", "certify.png"),  # needs a checkpoint of PyTorch; made by hand and taken with --outputs
    "certify_pod": ("examples/certify_pod.py --processes 2", "certify_pod.png"),
}


def shrink(source: pathlib.Path, target: pathlib.Path) -> None:
    """A figure of few colours in few bytes."""
    picture = Image.open(source).convert("RGB")
    if picture.width > 1200:
        picture = picture.resize((1200, round(1200 * picture.height / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="pictures to make; by default all")
    parser.add_argument("--outputs", type=pathlib.Path, help="take the files from here instead of running anything")
    options = parser.parse_args()
    made: dict[str, pathlib.Path] = {}
    for name in options.names or [name for name, (command, _) in PICTURES.items() if command]:
        command, file = PICTURES[name]
        if options.outputs is None and command not in made:
            made[command] = pathlib.Path(tempfile.mkdtemp())
            subprocess.run(
                [sys.executable, *shlex.split(command), "--output", str(made[command])], cwd=ROOT, check=True
            )
        target = ROOT / "docs/images" / f"{name}.png"
        shrink((options.outputs or made[command]) / file, target)
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
