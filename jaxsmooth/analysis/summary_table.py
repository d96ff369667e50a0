"""summary_table: summaries of several runs, of one kind, as the table of a paper."""

from collections.abc import Iterator, Mapping

from jaxsmooth.analysis.outputs import OutputSummary, in_four_places
from jaxsmooth.analysis.table_text import Column, check_runs, layout_of
from jaxsmooth.analysis.values import ValueSummary


def summary_table(runs: Mapping[str, OutputSummary | ValueSummary], *, format: str = "text") -> str:
    """Summaries of certificates of many outputs, or of numbers, side by side.

    Below it stands what the runs were certified with, and what their summaries note. Widths and certified errors are
    of the intervals with both ends alone, whose fraction is a column: compare them where it is alike.

    Args:
        runs: from the name of a run to what ``output_summary`` or ``value_summary`` gave, all of one kind and norm.
        format: ``"text"``, ``"markdown"``, ``"latex"`` (for the package booktabs) or ``"csv"``, which is not rounded.

    Returns:
        The table, a row for each run.

    Raises:
        ValueError: if there is no run, a format does not exist, or the runs have different numbers or norms.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import jax, jax.numpy as jnp, jaxsmooth as js
        >>> signs = lambda batch: jnp.stack([-batch, batch], -1)
        >>> x, runs = jnp.array([[0.9, -0.8, 0.1, -1.0]]), {}
        >>> for radius in (0.2, 0.4):
        ...     made = js.certify_outputs(
        ...         jax.random.key(0), signs, js.noises.Gaussian(0.25), x, n=500, radius=radius
        ...     )
        ...     runs[f"radius {radius}"] = js.analysis.output_summary(made, [[1, 0, 1, 0]])
        >>> print(js.analysis.summary_table(runs))
        run         certified accuracy  mean IoU  abstention  wrong   accuracy
        radius 0.2  0.7500              0.7500    0.2500      0.0000  1.0000
        radius 0.4  0.7500              0.7500    0.2500      0.0000  1.0000
        radius 0.2: l2 radius 0.2, n = 500, alpha = 0.001, holm
        radius 0.4: l2 radius 0.4, n = 500, alpha = 0.001, holm
    """
    layout = layout_of(format)
    check_runs(runs, "summaries")
    for name, run in runs.items():
        if not isinstance(run, OutputSummary | ValueSummary):
            raise TypeError(
                f"runs[{name!r}] must be what output_summary or value_summary gives; got {type(run).__name__}"
            )
    titles = [list(run.columns) for run in runs.values()]
    if any(other != titles[0] for other in titles):
        raise ValueError(f"runs must have the same numbers, of one kind and radii; got {titles}")
    norms = {run.norm for run in runs.values()}
    if len(norms) > 1:
        raise ValueError(f"runs of several norms, {sorted(norms)}, do not compare; make one table for each norm")
    columns = [
        Column(
            key=title.replace(" ", "_"),
            title=title,
            texts=[in_four_places(title, run.columns[title]) for run in runs.values()],
            intervals=[""] * len(runs),
            exact=[(repr(run.columns[title]),) for run in runs.values()],
        )
        for title in titles[0]
    ]
    return layout(list(map(str, runs)), columns, list(_notes(runs)))


def _notes(runs: Mapping[str, OutputSummary | ValueSummary]) -> Iterator[str]:
    settings = {run.setting for run in runs.values()}
    yield from settings if len(settings) == 1 else (f"{name}: {run.setting}" for name, run in runs.items())
    for name, run in runs.items():
        yield from (f"note on {name}: {note}" for note in run.notes)
