"""The command line: translates arguments to `sync`, `ask` and `search`, and their results to text.

Exit codes: 0 done, 1 the task failed, 2 the command or a setting is wrong.
Each command imports what it needs when it runs: `ask` must not wait for what only `chat` uses.
"""

from __future__ import annotations

import argparse
import codecs
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.doors.arguments import NewCommand, Run, a_count, a_day, print_json, progress_bar
from indexing.errors import DatelineError, SettingsError

if TYPE_CHECKING:
    from assistant.schema import Answer, Claim
    from assistant.service import Assistant
    from assistant.settings import Settings
    from indexing.schema import Filters


COMMANDS = "dateline.commands"
"""The entry points that add commands: functions that are given a `NewCommand`."""


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    # numpy's threads wait by spinning, which on shared cores costs more than they bring.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a terminal of another encoding is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            given = sys.argv[1:] if argv is None else argv
            arguments = _parser(given).parse_args(given)
            return int(arguments.run(arguments))
        finally:
            sys.stdout.flush()
    except SettingsError as exc:
        print(f"dateline: {exc}", file=sys.stderr)
        return 2
    except DatelineError as exc:
        print(f"dateline: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dateline: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain once more while closing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as exc:
        if os.environ.get("DATELINE_DEBUG"):
            raise
        print(
            f"dateline: something went wrong that should not have: {type(exc).__name__}: {exc}\n"
            "Set DATELINE_DEBUG=1 and run it again to see where.",
            file=sys.stderr,
        )
        return 1


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dateline",
        description="Ask a folder of news articles; every sentence of the answer is cited to its source.",
        epilog="Every setting is also an environment variable DATELINE_* and a line of .env; see docs/configuration.md.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, run: Run, help_: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_, description=help_)
        added.set_defaults(run=run)
        added.add_argument(
            "--index", type=Path, metavar="DIR", help="the index (default .dateline)"
        )
        return added

    _add_articles(command)
    _add_doors(command)
    if not given or given[0] not in commands.choices:
        # The commands of the tools beside the assistant; `ask` does not wait for them.
        from importlib.metadata import distribution

        for entry in distribution("dateline").entry_points.select(group=COMMANDS):
            entry.load()(command)
    return parser


def _add_articles(command: NewCommand) -> None:
    """The commands that read the articles."""
    index = command("index", _index, "bring the index in step with a folder of articles")
    index.add_argument("corpus", nargs="?", type=Path, help="the folder (default corpus)")
    index.add_argument("--rebuild", action="store_true", help="start from nothing")
    index.add_argument("--json", action="store_true", help="print the report as JSON")

    ask = command("ask", _ask, "answer a question from the articles")
    ask.add_argument("question", nargs="?", help="the question")
    ask.add_argument(
        "--batch", metavar="FILE", help="a .jsonl file of questions, - for standard input"
    )
    ask.add_argument(
        "--engine",
        metavar="quotes|MODEL",
        help="what answers: quotes (the default), or a chat model as provider:model[@URL]",
    )
    ask.add_argument(
        "--as-of", type=a_day, metavar="DATE", help="answer as on this day (default today)"
    )
    ask.add_argument(
        "--max-quotes", type=a_count, metavar="N", help="quote N sentences at most (default 3)"
    )
    _add_filters(ask)
    ask.add_argument("--json", action="store_true", help="print the answer as JSON")

    search = command("search", _search, "rank the passages that match a query")
    search.add_argument("query", nargs="?", help="the query")
    search.add_argument(
        "--batch", metavar="FILE", help="a .jsonl file of queries, - for standard input"
    )
    search.add_argument(
        "--k", type=a_count, default=10, metavar="N", help="how many passages (default 10)"
    )
    _add_filters(search)
    search.add_argument("--json", action="store_true", help="print them as JSON")

    sources = command("sources", _sources, "list the articles of the index")
    sources.add_argument("--json", action="store_true", help="print them as JSON")

    doctor = command("doctor", _doctor, "say what is configured, what works and what to do")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")


def _add_doors(command: NewCommand) -> None:
    """The commands that serve other doors, and those for whoever runs them."""
    command(
        "mcp",
        _mcp,
        "answer programs that speak the Model Context Protocol, on standard input and output",
    )

    feedback = command("feedback", _feedback, "list the answers that people rated, newest first")
    feedback.add_argument("--rating", choices=("up", "down"), help="only those (default both)")
    feedback.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON each, for dateline eval add --from",
    )

    chat = command("chat", _chat, "index what is new, then serve the chat page")
    chat.add_argument("--corpus", type=Path, metavar="DIR", help="the folder (default corpus)")
    chat.add_argument("--host", help="the address to listen on (default 127.0.0.1)")
    chat.add_argument("--port", type=int, help="the port (default 8000)")
    chat.add_argument(
        "--open-to-all",
        action="store_true",
        default=None,
        help="serve other machines without asking anybody to sign in",
    )

    slack = command("slack", _slack, "answer in Slack over Socket Mode")
    slack.add_argument("--corpus", type=Path, metavar="DIR", help="the folder (default corpus)")

    _add_named(command("people", _people, "say who may sign in with a password"), "password")
    keys = _add_named(command("keys", _keys, "make and revoke keys of the HTTP API"))
    keys.add_argument(
        "--scope",
        action="append",
        choices=("ask", "index"),
        help="what it is for: ask (the default), or index, to have the articles read; may be repeated",
    )


def _add_named(parser: argparse.ArgumentParser, *actions: str) -> argparse.ArgumentParser:
    """For a command that keeps things by their names, with what it does to one besides."""
    parser.add_argument("action", choices=("list", "add", "remove", *actions))
    parser.add_argument("name", nargs="?", help="whom or what; not for list")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    return parser


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source", metavar="GLOB", help="use only sources that match, such as 'bbc/*'"
    )
    parser.add_argument(
        "--since", type=a_day, metavar="DATE", help="use only articles of that day or later"
    )
    parser.add_argument(
        "--until", type=a_day, metavar="DATE", help="use only articles of that day or earlier"
    )


def _settings(arguments: argparse.Namespace) -> Settings:
    from assistant.settings import Settings
    from indexing.settings import environment

    given = {
        name: getattr(arguments, name, None)
        for name in ("corpus", "index", "engine", "host", "port", "open_to_all")
    }
    return Settings.from_env(environment(), **given)


def _filters(arguments: argparse.Namespace) -> Filters:
    from indexing.schema import Filters

    return Filters(arguments.source, arguments.since, arguments.until)


def _index(arguments: argparse.Namespace) -> int:
    from assistant.doors.show.json import report_to_json
    from indexing.sync import sync

    settings = _settings(arguments)
    with progress_bar() as progress:
        report = sync(settings.corpus, settings, rebuild=arguments.rebuild, progress=progress)
    if arguments.json:
        print_json(report_to_json(report))
    else:
        print(
            f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged,"
            f" {report.removed} removed, {len(report.failed)} failed; the index holds {report.articles}"
            f" articles in {report.passages} passages ({report.seconds:.1f} s)"
        )
        for failure in report.failed:
            print(f"  {failure.source}: {failure.error}", file=sys.stderr)
    return 1 if report.failed and not report.articles else 0


def _ask(arguments: argparse.Namespace) -> int:
    from assistant.doors.show.json import to_json

    _one_of(arguments, "question")
    with _assistant(arguments) as assistant:
        as_of = arguments.as_of or date.today()
        asked: dict[str, Any] = {
            "filters": _filters(arguments),
            "as_of": as_of,
            "max_quotes": arguments.max_quotes,
        }
        if arguments.batch is None:
            if arguments.json:
                answer = assistant.ask(arguments.question, **asked)
                print_json(to_json(answer))
            else:
                _print_as_it_comes(assistant.stream(arguments.question, **asked), as_of)
            return 0

        def reply(line: Mapping[str, Any]) -> dict[str, Any]:
            answer = assistant.ask(_text_of(line), _history_of(line), **asked)
            return to_json(answer, id=line.get("id"))

        return _batch(arguments.batch, reply)


def _print_as_it_comes(items: Iterator[Claim | Answer], as_of: date) -> None:
    """On a terminal each claim when it is ready, then what the answer has besides; else the whole."""
    from assistant.doors.show.text import as_text, text_as_text
    from assistant.schema import Claim

    told: list[Claim] = []
    for item in items:
        if not isinstance(item, Claim):
            whole = all(claim in item.claims for claim in told)
            if told and not whole:
                print("--\n")
            print(as_text(item, as_of=as_of, told=told if whole else ()))
        elif sys.stdout.isatty():
            told.append(item)
            print("\n\n".join(text_as_text(item.text, item.citations, 80)) + "\n", flush=True)


def _search(arguments: argparse.Namespace) -> int:
    from assistant.doors.show.json import hit_to_json
    from assistant.language.marks import plain

    _one_of(arguments, "query")
    with _assistant(arguments) as assistant:
        filters = _filters(arguments)

        def retrieved(query: str) -> list[dict[str, Any]]:
            return [hit_to_json(hit) for hit in assistant.search(query, arguments.k, filters)]

        if arguments.batch is not None:
            return _batch(
                arguments.batch,
                lambda line: {"id": line.get("id"), "retrieved": retrieved(_text_of(line))},
            )
        found = retrieved(arguments.query)
        if arguments.json:
            print_json({"id": None, "retrieved": found})
        else:
            for rank, hit in enumerate(found, 1):
                print(f"{rank}. {hit['file']}:{hit['start']}-{hit['end']}  {hit['score']:.3f}")
                print(f"   {plain(hit['text'])}\n")
    return 0


def _one_of(arguments: argparse.Namespace, name: str) -> None:
    if (getattr(arguments, name) is None) == (arguments.batch is None):
        raise SettingsError(f"give a {name}, or --batch FILE, and not both")


def _text_of(line: Mapping[str, Any]) -> str:
    question = line.get("question")
    if not isinstance(question, str):
        raise SettingsError('the line has no "question" in words')
    return question


def _history_of(line: Mapping[str, Any]) -> list[tuple[str, str]]:
    turns = line.get("history") or []
    if not isinstance(turns, list):
        raise SettingsError('"history" is not a list of [question, answer]')
    for turn in turns:
        if not isinstance(turn, list) or [type(part) for part in turn] != [str, str]:
            raise SettingsError('"history" holds something that is not [question, answer]')
    return [(question, answer) for question, answer in turns]


@contextmanager
def _assistant(arguments: argparse.Namespace) -> Iterator[Assistant]:
    from assistant.service import open_assistant

    assistant = open_assistant(_settings(arguments))
    try:
        yield assistant
    finally:
        assistant.close()


def _batch(file: str, reply: Callable[[Mapping[str, Any]], dict[str, Any]]) -> int:
    """One JSON line out for each line in, in order; a line that fails carries an `error`."""
    done = failed = 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        fields: Any = None
        try:
            fields = json.loads(line.decode())
            if not isinstance(fields, dict):
                raise SettingsError("the line is not a JSON object")
            result = reply(fields)
        except Exception as exc:  # noqa: BLE001 - one question must not stop the others
            reason = str(exc)
            if isinstance(exc, json.JSONDecodeError):
                reason = f"the line is not valid JSON: {exc}"
            elif isinstance(exc, UnicodeDecodeError):
                reason = f"the line is not UTF-8: {exc}"
            elif not isinstance(exc, DatelineError):
                reason = f"{type(exc).__name__}: {exc}"
            known = fields if isinstance(fields, dict) else {}
            result = {
                "id": known.get("id"),
                "question": known.get("question"),
                "error": f"line {number}: {reason}",
            }
            failed += 1
        done += 1
        print_json(result)
    return 1 if done and failed == done else 0


def _lines(file: str) -> Iterator[bytes]:
    """The lines of a file, or of standard input for "-", without a byte-order mark."""
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else open(file, "rb") as lines:
            for number, line in enumerate(lines):
                yield line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
    except OSError as exc:
        raise SettingsError(f"--batch {file} cannot be read: {exc}") from exc


def _sources(arguments: argparse.Namespace) -> int:
    from assistant.doors.show.json import source_to_json
    from assistant.language.marks import plain

    with _assistant(arguments) as assistant:
        sources = assistant.sources()
    if arguments.json:
        print_json([source_to_json(s) for s in sources])
        return 0
    for s in sources:
        day = s.published.isoformat() if s.published else "no date   "
        repeats = f"  (repeats {plain(s.voice)})" if s.voice != s.source else ""
        publisher = f", {plain(s.publisher)}" if s.publisher else ""
        print(f"{day}  {plain(s.source)}  {plain(s.title)}{publisher}{repeats}")
    return 0


def _mcp(arguments: argparse.Namespace) -> int:
    from assistant.doors.mcp import serve_stdio

    serve_stdio(_settings(arguments))
    return 0


def _feedback(arguments: argparse.Namespace) -> int:
    from assistant.keeping.conversations import are_kept, open_conversations
    from assistant.language.marks import plain

    settings = _settings(arguments)
    if not are_kept(settings):
        print(f"No conversations are kept in {settings.index} yet.", file=sys.stderr)
        return 0
    conversations = open_conversations(settings)
    try:
        value = None if arguments.rating is None else int(arguments.rating == "up")
        for rated in conversations.rated(value):
            rating = "up" if rated.value else "down"
            if arguments.json:
                about = {"rating": rating, "comment": rated.comment, "rated": rated.rated_at}
                history = [list(turn) for turn in rated.history]
                print_json({**rated.answer, "history": history, **about})
                continue
            print(f"{rated.rated_at[:10]}  {rating:4}  {plain(rated.answer['question'])}")
            print(f"    {plain(rated.answer['answer'])}")
            if rated.comment:
                print(f"    “{plain(rated.comment)}”")
            print()
    finally:
        conversations.close()
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from assistant.doors.doctor import examine

    findings = examine(_settings(arguments))
    if arguments.json:
        print_json([{"check": f.check, "state": f.state, "says": f.says} for f in findings])
    else:
        for f in findings:
            print(f"{f.state:7} {f.check}: {f.says}")
    return 1 if any(f.state == "broken" for f in findings) else 0


def _chat(arguments: argparse.Namespace) -> int:
    from assistant.doors.server import serve
    from assistant.keeping import people
    from indexing.sync import sync

    settings = _settings(arguments)
    people.ways(settings)  # may it be served like that? Said before the articles are read
    with progress_bar() as progress:
        report = sync(settings.corpus, settings, progress=progress)
    for failure in report.failed:
        print(f"  {failure.source}: {failure.error}", file=sys.stderr)
    print(f"{report.articles} articles indexed in {report.passages} passages.", flush=True)
    serve(settings)
    return 0


def _slack(arguments: argparse.Namespace) -> int:
    from assistant.doors.slack.app import check_socket_mode, serve
    from indexing.sync import sync

    settings = _settings(arguments)
    check_socket_mode(settings)  # said before the articles are read
    with progress_bar() as progress:
        report = sync(settings.corpus, settings, progress=progress)
    for failure in report.failed:
        print(f"  {failure.source}: {failure.error}", file=sys.stderr)
    print(f"{report.articles} articles indexed in {report.passages} passages.", flush=True)
    serve(settings)
    return 0


def _named(arguments: argparse.Namespace) -> tuple[Any, str]:
    """The name and the action of a command that keeps things by their names; SettingsError where a
    name is missing, or there is nothing to name."""
    name, action = arguments.name, arguments.action
    if (name is None) != (action == "list"):
        article = "no" if action == "list" else "a"
        raise SettingsError(f"{arguments.command} {action} takes {article} name")
    return name, action


def _people(arguments: argparse.Namespace) -> int:
    from assistant.keeping.people import Accounts

    accounts = Accounts(_settings(arguments))
    name, action = _named(arguments)
    if action == "list":
        names = accounts.names()
        print_json(names) if arguments.json else print(*names, sep="\n", end="\n" * bool(names))
        return 0
    done = {"add": "added", "remove": "removed", "password": "changed the password of"}[action]
    if action == "add":
        accounts.add(name, _new_password())
    elif action == "password":
        accounts.change_password(name, _new_password())
    else:
        accounts.remove(name)
    print(f"{done} {name}", file=sys.stderr)
    return 0


def _keys(arguments: argparse.Namespace) -> int:
    from assistant.keeping.keys import Keys
    from assistant.language.marks import plain

    keys = Keys(_settings(arguments))
    name, action = _named(arguments)
    if action == "add":
        print(keys.add(name, arguments.scope or ["ask"]))
        print("Keep it: it is not shown again.", file=sys.stderr)
    elif action == "remove":
        keys.remove(name)
        print(f"revoked {name}", file=sys.stderr)
    elif arguments.json:
        print_json([{"name": k.name, "scopes": k.scopes, "made": k.made} for k in keys.list()])
    else:
        for key in keys.list():
            print(f"{key.made[:10]}  {key.hint}  {plain(key.name)} ({', '.join(key.scopes)})")
    return 0


def _new_password() -> str:
    """Asked for twice on a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    password = getpass("Password: ")
    if getpass("The same again: ") != password:
        raise SettingsError("the two passwords are not the same")
    return password


if __name__ == "__main__":
    sys.exit(main())
