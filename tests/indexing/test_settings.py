"""What indexing is told, and nothing of the layers above it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from assistant.settings import AnswerSettings, Settings
from indexing.errors import SettingsError
from indexing.settings import IndexSettings


def test_each_layer_reads_its_own_settings_and_those_below() -> None:
    env = {"DATELINE_THREADS": "3", "DATELINE_MODEL_TIMEOUT_S": "four", "DATELINE_PORT": "nine"}
    assert IndexSettings.from_env(env) == IndexSettings(threads=3)
    with pytest.raises(SettingsError, match="DATELINE_MODEL_TIMEOUT_S must be a whole number"):
        AnswerSettings.from_env(env)
    env["DATELINE_MODEL_TIMEOUT_S"] = "4"
    assert AnswerSettings.from_env(env) == AnswerSettings(threads=3, model_timeout_s=4)
    with pytest.raises(SettingsError, match="DATELINE_PORT must be a whole number"):
        Settings.from_env(env)


@pytest.mark.parametrize("layer", [AnswerSettings, Settings])
def test_a_layer_adds_to_those_below_it_and_changes_none(layer: type[IndexSettings]) -> None:
    below = IndexSettings()
    assert {f.name: getattr(layer(), f.name) for f in fields(below)} == {
        f.name: getattr(below, f.name) for f in fields(below)
    }
    for name, least in layer.LEAST.items():
        with pytest.raises(SettingsError, match=f"DATELINE_{name.upper()} must be {least} or more"):
            layer.from_env({}, **{name: least - 1})
