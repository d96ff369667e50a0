"""Warnings point at the line of the user."""

from pathlib import Path

import pytest

import jaxsmooth
from jaxsmooth._warn import warn_user


def test_a_script_whose_name_begins_like_that_of_the_package_is_the_users():
    script = str(Path(jaxsmooth.__file__).parent) + "_study.py"
    with pytest.warns(UserWarning, match="told") as caught:
        exec(compile("warn_user('told')", script, "exec"), {"warn_user": warn_user})
    assert caught[0].filename == script
