"""Every error a user can meet, drawn as a tree.

DatelineError
├── SettingsError      a setting is wrong: which one, what it was, what is allowed
├── ModelError         a chat model did not give an answer
├── CorpusError        the corpus folder cannot be read
│   └── UnreadableFile one file of it cannot; the others go on
└── StoreError         the index cannot be used as it is
    ├── IndexMissing   there is none yet
    ├── IndexMismatch  it was built with another model or another version of this program
    ├── IndexBusy      another process is writing it
    ├── IndexStorage   the disk is full, or the folder cannot be written
    └── NotTheirs      a conversation belongs to another person

A message says what was found, what was wanted and what to do. Library errors are
translated where they arise, with `from exc`; front doors catch `DatelineError` once.
"""


class DatelineError(Exception):
    """Base of all errors meant for people."""


class SettingsError(DatelineError):
    """A setting has a value that cannot be used."""


class ModelError(DatelineError):
    """A chat model could not be reached, refused, was too slow, or said nothing of use.

    The message is in words of ours: a provider's own may repeat a key.
    """


class CorpusError(DatelineError):
    """The corpus folder cannot be read."""


class UnreadableFile(CorpusError):
    """One file of the corpus cannot be read as an article."""


class StoreError(DatelineError):
    """The index cannot be used as it is."""


class IndexMissing(StoreError):
    """There is no index at that place yet."""


class IndexMismatch(StoreError):
    """The index was built with other settings than those asked for."""


class IndexBusy(StoreError):
    """Another process is writing the index."""


class IndexStorage(StoreError):
    """The index cannot be written: no space, or no permission."""


class NotTheirs(StoreError):
    """A conversation belongs to another person than the one who would write it."""
