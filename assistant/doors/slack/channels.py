"""Which sources each channel may be answered from, so that a private channel's stay in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from indexing.errors import SettingsError
from indexing.schema import Filters

EVERY_SOURCE = "*"
_CHANNEL = re.compile(r"[A-Z0-9*?\[\]!-]+")

REFUSED = (
    "This channel is not one that Dateline answers in. Whoever runs Dateline can add it to "
    "DATELINE_SLACK_CHANNELS."
)
NOTHING_TO_READ = "There are no articles that this channel may read yet."


@dataclass(frozen=True, slots=True)
class Rule:
    """Channels whose id fits the glob `channel` are answered from sources that fit one of `globs`."""

    channel: str
    globs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Channels:
    """The rules in order, of which the first that fits counts; none, and all read everything."""

    rules: tuple[Rule, ...] = ()

    def filters(self, channel: str, sources: Iterable[str]) -> Filters:
        """What `channel` may be answered from, of the index's `sources`.

        Raises SettingsError, in words for the channel, where it fits no rule, or that is nothing.
        """
        globs = self._globs(channel)
        if EVERY_SOURCE in globs:
            return Filters()
        found = tuple(s for s in sources if any(fnmatchcase(s, glob) for glob in globs))
        if not found:  # no sources would mean all of them
            raise SettingsError(NOTHING_TO_READ)
        return Filters(sources=found)

    def _globs(self, channel: str) -> tuple[str, ...]:
        if not self.rules:
            return (EVERY_SOURCE,)
        for rule in self.rules:
            if fnmatchcase(channel, rule.channel):
                return rule.globs
        raise SettingsError(REFUSED)


def channels(setting: str) -> Channels:
    """The rules in the form `C0123=deals/*,acme/*; D*=public/*; *=public/*`.

    Raises SettingsError naming DATELINE_SLACK_CHANNELS for a rule in another form.
    """
    rules = [_rule(part.strip()) for part in setting.split(";") if part.strip()]
    if setting.strip() and not rules:
        raise _malformed(setting.strip())
    return Channels(tuple(rules))


def _rule(text: str) -> Rule:
    channel, equals, right = (part.strip() for part in text.partition("="))
    globs = tuple(glob.strip() for glob in right.split(","))
    if not equals or not _CHANNEL.fullmatch(channel) or not all(globs):
        raise _malformed(text)
    return Rule(channel, globs)


def _malformed(text: str) -> SettingsError:
    return SettingsError(
        "DATELINE_SLACK_CHANNELS must hold rules such as C0123ABC=deals/*,acme/*; *=public/* "
        f"(a channel's id as Slack shows it, =, and globs of sources), got {text!r}"
    )
