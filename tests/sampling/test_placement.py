"""Where values are, and which meshes the verbs take."""

import jax
import pytest

from jaxsmooth.sampling import placement


def test_a_mesh_of_some_of_the_processes_is_refused(monkeypatch):
    """All of them have to agree, and those that are not asked would be waited for."""
    monkeypatch.setattr(placement, "spans_processes", lambda mesh: True)
    mesh = jax.make_mesh((1,), ("draws",))
    placement.refuse_some_of_the_processes(mesh)
    monkeypatch.setattr(jax, "process_count", lambda: 3)
    with pytest.raises(ValueError, match=r"devices of one process or of all 3; got those of \[0\]"):
        placement.refuse_some_of_the_processes(mesh)
