"""Where the names of other libraries are explained: inventories for intersphinx that need no network.

``docs/inventories.txt`` has a section for each project, ``[name] address``, and below it lines ``type name page``.
"""

import pathlib
import zlib

PAGE_OF_NAME = "$"


def mapping(listed: pathlib.Path, folder: pathlib.Path) -> dict[str, tuple[str, str]]:
    """Write an ``objects.inv`` for each project; what ``intersphinx_mapping`` wants of them."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, tuple[str, str]] = {}
    lines: dict[str, list[str]] = {}
    project = ""
    for line in listed.read_text().splitlines():
        if line.startswith("["):
            project, _, address = line[1:].partition("] ")
            found[project] = (address, str(folder / f"{project}.inv"))
            lines[project] = []
        elif line.strip():
            kind, name, page = line.split()
            # "$" in a page stands for the name.
            lines[project].append(f"{name} py:{kind} 1 {page.replace(PAGE_OF_NAME, name)} -")
    for project, entries in lines.items():
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        body = zlib.compress("\n".join([*entries, ""]).encode())
        (folder / f"{project}.inv").write_bytes(head.encode() + body)
    return found
