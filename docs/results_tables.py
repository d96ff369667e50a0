"""The tables of docs/results.md, made from the logs in docs/results.

    python docs/results_tables.py             # writes the page again; seconds
    python docs/results_tables.py --check     # says whether the page is what the logs give
    python docs/results_tables.py --figures   # the page and its figures

Each stands on the page between two comments, ``<!-- NAME -->`` and ``<!-- end NAME -->``; the rest of the page is text.
"""

import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples/reproduce"))
import figure_classes
import figure_curves
import figure_noise_in_training
import figure_radii
import figure_sequential
import figure_training
import table_classes
import table_l1_noises
import table_noise_in_training
import table_radii
import table_resnet20
import table_sequential
import table_sigma_of_x
import table_times
import table_training
from tabular import table

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAPERS = {
    "[Cohen et al. 2019](#published-curves-from-fewer-votes)": table_sequential,
    "[Jeong and Shin 2020](#training-objectives-on-mnist)": table_training,
    "[Mohapatra et al. 2021](#classes-over-sigma)": table_classes,
    "[Pal and Sulam 2023](#noise-in-training)": table_noise_in_training,
    "[Sukenik et al. 2022](#a-sigma-for-every-image)": table_sigma_of_x,
    "[Yang et al. 2020, radii](#radii-of-all-noises)": table_radii,
    "[Yang et al. 2020, in l1](#noises-in-l1)": table_l1_noises,
    "[ResNet-20](#resnet-20-on-cifar-10)": table_resnet20,
}


def summary(results: pathlib.Path) -> str:
    """What came out, paper by paper."""
    return table(["paper", "outcome"], [[paper, module.outcome(results)] for paper, module in PAPERS.items()])


TABLES = {
    "summary": summary,
    "sequential": table_sequential.make,
    "training": table_training.make,
    "classes": table_classes.make,
    "noise in training": table_noise_in_training.make,
    "sigma of x": table_sigma_of_x.make,
    "l1 noises": table_l1_noises.make,
    "radii": table_radii.make,
    "resnet20": table_resnet20.make,
    "times": table_times.make,
}

# Of some of them a figure, below the table: what draws it, and what it shows in words.
FIGURES = {
    "sequential": (figure_sequential.draw, "Published curves, and the same from fewer votes"),
    "training": (figure_training.draw, "Certified accuracy on MNIST by objective and sigma, ours and published"),
    "classes": (figure_classes.draw, "Accuracy of the classes of MNIST over the sigma of the smoothing"),
    "noise in training": (figure_noise_in_training.draw, "Risk over training noise, for discs and for MNIST"),
    "sigma of x": (figure_curves.sigma_of_x, "Certified accuracy with a sigma for every image and with one for all"),
    "l1 noises": (figure_curves.l1_noises, "Certified accuracy over the l1 radius, by noise"),
    "radii": (figure_radii.draw, "Certified radius over the probability of the vote, by noise and norm"),
    "resnet20": (figure_curves.resnet20, "Certified accuracy of ResNet-20, ours and published"),
}


def picture(name: str) -> pathlib.Path:
    """Where the figure of a table is."""
    return ROOT / f"docs/images/results_{name.replace(' ', '_')}.png"


def page(text: str, results: pathlib.Path) -> str:
    """The page with every table made anew."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the page must have {begin} and {end} once each")
        shown = make(results).strip()
        if name in FIGURES and picture(name).exists():
            shown += f"\n\n![{FIGURES[name][1]}](images/{picture(name).name})"
        made = f"{begin}\n\n{shown}\n\n{end}"
        text = re.sub(f"{begin}.*?{end}", lambda _, made=made: made, text, flags=re.DOTALL)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if the page is another")
    parser.add_argument("--figures", action="store_true", help="draw docs/images/results_*.png again, too")
    options = parser.parse_args()
    if options.figures:
        draw_figures()
    path = ROOT / "docs/results.md"
    before = path.read_text()
    after = page(before, ROOT / "docs/results")
    if options.check:
        raise SystemExit(0 if before == after else f"{path} is not what the logs give: python docs/results_tables.py")
    path.write_text(after)
    print(f"wrote {path}")


def draw_figures() -> None:
    """The pictures below the tables, of the logs that are there."""
    import pictures

    for name, (draw, _) in FIGURES.items():
        if draw(ROOT / "docs/results", picture(name)):
            pictures.shrink(picture(name), picture(name))
            print(f"wrote {picture(name)}")


if __name__ == "__main__":
    main()
