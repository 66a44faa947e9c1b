"""The page that this process serves, and what belongs to the conversation that is open in a session."""

# Chainlit is typed in part:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import chainlit as cl

from assistant.doors.asking import Answering
from assistant.doors.chat.data_layer import DataLayer
from assistant.doors.conversation import Conversation
from assistant.doors.workers import Workers
from assistant.keeping.conversations import open_conversations
from assistant.keeping.people import LOCAL
from assistant.keeping.shelves import Shelf, Shelves
from assistant.settings import Settings

T = TypeVar("T")


class Page:
    """What this process serves: Chainlit's own state is one a process, so this may be too."""

    def __init__(self, assistant: Answering, settings: Settings, workers: Workers) -> None:
        self.assistant = assistant
        self.settings = settings
        self.workers = workers
        self.shelves = Shelves(settings, assistant)
        self.conversations = open_conversations(settings)
        self.open: WeakKeyDictionary[Any, Conversation] = WeakKeyDictionary()
        """The conversations by Chainlit's sessions."""
        self.suggesting: WeakKeyDictionary[Any, threading.Event] = WeakKeyDictionary()
        """What stops the suggestions that are being made for a session."""


_page: Page | None = None


def serve_page(page: Page) -> None:
    """Makes it the page of this process."""
    global _page
    _page = page


def close_page() -> None:
    """Closes what the page has opened, if there is one."""
    if _page is not None:
        _page.conversations.close()


def the_page() -> Page:
    """The one of this process."""
    assert _page is not None, "serve_page() comes first"
    return _page


class _Kept(DataLayer):
    """The store of conversations; what was uploaded into one goes with it."""

    async def delete_thread(self, thread_id: str) -> None:
        await super().delete_thread(thread_id)
        await asyncio.to_thread(the_page().shelves.forget, thread_id)


@cl.data_layer
def data_layer() -> DataLayer:
    return _Kept(the_page().conversations)


def data_layer_of_page() -> DataLayer:
    """The one that Chainlit was given."""
    from chainlit.data import get_data_layer

    kept = get_data_layer()
    assert isinstance(kept, DataLayer)
    return kept


def the_conversation() -> Conversation:
    """The one of the session that an event came from; so are those below."""
    return the_page().open.setdefault(cl.context.session, Conversation())


def the_person() -> str:
    """Who has signed in, by the identifier."""
    user = cl.context.session.user
    return user.identifier if user else LOCAL


def the_shelf() -> Shelf:
    """The articles uploaded into this conversation."""
    return the_page().shelves.of_conversation(cl.context.session.thread_id)


def the_kept_shelf() -> Shelf:
    """The articles this person keeps for all his conversations."""
    return the_page().shelves.of_person(the_person())


def opening_here() -> Callable[[], Answering]:
    """Opens what this conversation may read: the index, the person's articles and its own. To be
    called in the thread that reads."""
    shelves = the_page().shelves
    return partial(shelves.assistant, cl.context.session.thread_id, the_person())


async def read_here(use: Callable[[Answering], T]) -> T:
    """What `use` makes of the articles of this conversation, in a thread that may wait."""
    opening = opening_here()
    return await asyncio.to_thread(lambda: use(opening()))


async def open_panel(name: str, props: Mapping[str, Any], title: str) -> None:
    """Opens the side panel on the element of that name."""
    panel = cl.CustomElement(name=name, props=dict(props))
    # A new key each time: Chainlit leaves a panel with the same key as it is, scrolled away or not.
    await cl.ElementSidebar.set_elements([panel], key=str(uuid.uuid4()))
    await cl.ElementSidebar.set_title(title)  # after the elements, or it is lost


async def tell(problem: str) -> None:
    """Shows what went wrong, and leaves the conversation as it is."""
    await cl.context.emitter.send_toast(problem, type="error")
