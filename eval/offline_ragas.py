"""Imports Ragas without what it would leave behind: import this before anything of `ragas`.

Besides reporting to its makers, which `eval/__init__.py` switches off, Ragas (0.4.3) makes up an
identity for the user and writes it into their home folder.
"""

from __future__ import annotations

import os
from typing import Any

import ragas._analytics

_analytics: Any = ragas._analytics
_home = _analytics.user_data_dir
_analytics.user_data_dir = lambda **_: os.devnull  # where no folder can be made
try:
    _analytics.get_userid()  # remembered for the life of the process
finally:
    _analytics.user_data_dir = _home
