"""From sentences to an answer: quoted, or written by a chat model and checked."""
