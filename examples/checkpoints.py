"""Orbax checkpoints for ``train.py``: a training state under the names of its variables, and the settings beside it."""

import json
import logging
import pathlib

import jax
import orbax.checkpoint as ocp


class Checkpoints:
    """The last two states of a run, in ``folder/checkpoints``; a run with other settings may not go on from them."""

    def __init__(self, folder: pathlib.Path, settings: dict[str, str]):
        logging.getLogger("absl").setLevel(logging.ERROR)
        keep = ocp.CheckpointManagerOptions(max_to_keep=2)
        self.manager = ocp.CheckpointManager((folder / "checkpoints").absolute(), options=keep)
        path = folder / "settings.json"
        if self.manager.latest_step() is None:
            path.write_text(json.dumps(settings, indent=1) + "\n")
        before = json.loads(path.read_text())
        if changed := [f"{name} was {before.get(name)}" for name in settings if before.get(name) != settings[name]]:
            raise SystemExit(f"{folder} holds a run with other settings ({'; '.join(changed)}): pass another --output")

    def save(self, number: int, state):
        """Save a state; returns before it is written."""
        self.manager.save(number, args=ocp.args.StandardSave(_named(state)))

    def restore(self, state):
        """The last saved state in the place of this one, on the same devices; this one itself if there is none."""
        if self.manager.latest_step() is None:
            return state
        saved = self.manager.restore(self.manager.latest_step(), args=ocp.args.StandardRestore(_named(state)))
        return jax.tree.unflatten(jax.tree.structure(state), [saved[name] for name in _named(state)])

    def close(self):
        """Wait until everything is written."""
        self.manager.close()


def _named(state) -> dict[str, jax.Array]:
    """The arrays of a state by the path to each."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)}
