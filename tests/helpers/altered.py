"""Runs a program with constants of its modules set to other values:
`python altered.py package.module.NAME=VALUE… PROGRAM [ARGUMENT…]`, PROGRAM a file, or -m and a module.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from itertools import takewhile


def alter(constant: str) -> None:
    """Sets what `package.module.NAME=VALUE` names, to a value of the type it has."""
    name, _, value = constant.partition("=")
    module, _, attribute = name.rpartition(".")
    owner = importlib.import_module(module)
    setattr(owner, attribute, type(getattr(owner, attribute))(value))


if __name__ == "__main__":
    given = sys.argv[1:]
    constants = list(takewhile(lambda argument: "=" in argument, given))
    for constant in constants:
        alter(constant)
    program, *arguments = given[len(constants) :]
    if program == "-m":
        program, *arguments = arguments
        sys.argv = [program, *arguments]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [program, *arguments]
        runpy.run_path(program, run_name="__main__")
