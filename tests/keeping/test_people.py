"""Accounts, passwords, and what a sign-in is worth later."""

from __future__ import annotations

import io
import json
import multiprocessing
import stat
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.doors import cli
from assistant.keeping import people
from assistant.keeping.people import Accounts, People, Person, Throttle
from assistant.settings import Settings
from indexing.errors import IndexStorage, SettingsError

GOOD = "correct horse"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real function with little work: how much it is to be is a test of its own."""
    monkeypatch.setattr(people, "_SCRYPT", {"n": 16, "r": 8, "p": 1})


@pytest.fixture
def accounts(settings: Settings) -> Accounts:
    return Accounts(settings)


def with_password(settings: Settings) -> Settings:
    return replace(settings, sign_in="password")


# Accounts


def test_the_right_password_lets_in_and_any_other_does_not(accounts: Accounts) -> None:
    accounts.add("Anna", GOOD)
    person = accounts.check("ANNA ", GOOD)
    assert person is not None
    assert person.name == "anna"
    assert person.identifier.startswith("password-")
    for wrong in ("", "correct hors", GOOD + " ", GOOD.upper(), "x" * 100_000, "\ud800"):
        assert accounts.check("anna", wrong) is None
    assert accounts.check("berta", GOOD) is None


def test_what_is_kept_is_a_salted_slow_hash_that_only_the_owner_reads(
    monkeypatch: pytest.MonkeyPatch, accounts: Accounts, settings: Settings
) -> None:
    monkeypatch.undo()
    accounts.add("anna", GOOD)
    monkeypatch.setattr(people, "_SCRYPT", {"n": 16, "r": 8, "p": 1})
    accounts.add("berta", GOOD)
    path = settings.index / "chat" / "people.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = json.loads(path.read_text())
    assert GOOD not in path.read_text()
    assert kept["anna"]["n"] * kept["anna"]["r"] * kept["anna"]["p"] * 128 >= 96 * 2**20
    assert kept["anna"]["salt"] != kept["berta"]["salt"]
    assert accounts.check("anna", GOOD), "of the work it was kept with, not of today's"


def test_an_unknown_name_costs_the_same_work(
    monkeypatch: pytest.MonkeyPatch, accounts: Accounts
) -> None:
    monkeypatch.undo()
    accounts.add("anna", GOOD)
    work: list[tuple[int, int, int]] = []
    real = people.hashlib.scrypt

    def counted(*given: Any, **options: Any) -> bytes:
        work.append((options["n"], options["r"], options["p"]))
        return real(*given, **options)

    monkeypatch.setattr(people.hashlib, "scrypt", counted)
    accounts.check("anna", "wrong wrong")
    accounts.check("nobody", "wrong wrong")
    assert len(work) == 2
    assert work[0] == work[1]


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [
        ("anna", "short", "10 characters or more"),
        ("anna", "x" * 1001, "at most 1,000"),
        ("", GOOD, "1 to 64 characters"),
        ("a" * 65, GOOD, "1 to 64 characters"),
        ("an\0na", GOOD, "can be printed"),
        ("Taken", GOOD, "already"),
        ("ＴＡＫＥＮ", GOOD, "already"),
    ],
)
def test_what_will_not_do_is_said(accounts: Accounts, name: str, password: str, says: str) -> None:
    accounts.add("taken", GOOD)
    with pytest.raises(SettingsError, match=says):
        accounts.add(name, password)
    assert accounts.names() == ["taken"]


def test_whoever_gets_a_removed_name_is_somebody_else(accounts: Accounts) -> None:
    accounts.add("anna", GOOD)
    first = accounts.check("anna", GOOD)
    assert first is not None
    assert accounts.remove("Anna") == first.identifier
    accounts.add("anna", GOOD)
    second = accounts.check("anna", GOOD)
    assert second is not None
    assert second.identifier != first.identifier
    assert not accounts.has(first.identifier, first.proof)
    assert accounts.has(second.identifier, second.proof)
    with pytest.raises(SettingsError, match="people list"):
        accounts.remove("berta")


def test_a_damaged_file_is_said_and_lets_nobody_in(accounts: Accounts, settings: Settings) -> None:
    accounts.add("anna", GOOD)
    (settings.index / "chat" / "people.json").write_text("{")
    with pytest.raises(IndexStorage, match=r"people\.json"):
        accounts.check("anna", GOOD)
    with pytest.raises(IndexStorage, match=r"people\.json"):
        accounts.add("berta", GOOD)


def _add(settings: Settings, name: str) -> None:
    Accounts(settings).add(name, GOOD)


def test_people_added_at_once_are_all_there(settings: Settings) -> None:
    names = [f"person {n}" for n in range(6)]
    fork = multiprocessing.get_context("spawn")
    with fork.Pool(3) as pool:
        pool.starmap(_add, [(settings, name) for name in names])
    assert Accounts(settings).names() == names
    left = {path.name for path in (settings.index / "chat").iterdir()}
    assert left <= {"people.json", "people.lock"}


# What a sign-in is worth later


def signed_in(who: People, name: str = "anna") -> Person:
    person = who.accounts.check(name, GOOD)
    assert person is not None
    return who.signed_in(person, "password")


def test_a_sign_in_ends_with_the_password_the_account_and_its_time(settings: Settings) -> None:
    clock = Clock()
    who = People(with_password(settings), clock)
    other = Accounts(settings)  # as `dateline people` in another process has it
    other.add("anna", GOOD)
    other.add("berta", GOOD)
    anna, berta = signed_in(who), signed_in(who, "berta")
    assert who.is_current(anna.identifier, anna.proof)
    assert not who.is_current(berta.identifier, anna.proof)
    assert not who.is_current(anna.identifier, berta.proof)

    other.change_password("anna", GOOD + "!")
    assert not who.is_current(anna.identifier, anna.proof)
    other.remove("berta")
    assert not who.is_current(berta.identifier, berta.proof)

    other.change_password("anna", GOOD)
    anna = signed_in(who)
    clock.now += people.SESSION_S["password"]
    assert who.is_current(anna.identifier, anna.proof)
    clock.now += 1
    assert not who.is_current(anna.identifier, anna.proof)


def test_signing_out_ends_that_sign_in_for_good_and_no_other(settings: Settings) -> None:
    clock = Clock()
    who = People(with_password(settings), clock)
    who.accounts.add("anna", GOOD)
    here, there = signed_in(who), signed_in(who)
    who.sign_out(here.proof)
    for reader in (who, People(with_password(settings), clock)):
        assert not reader.is_current(here.identifier, here.proof)
        assert reader.is_current(there.identifier, there.proof)
    clock.now += 100 * 86_400
    who.sign_out(there.proof)
    kept = json.loads((settings.index / "chat" / "signed_out.json").read_text())
    assert list(kept) == [there.proof["session"]], "what has expired need not be remembered"


def test_the_ways_that_are_closed_let_nobody_in(settings: Settings) -> None:
    everybody = {
        "none": People(settings).local(),
        "open": People(replace(settings, host="0.0.0.0", open_to_all=True)).guest(),
    }
    who = People(with_password(settings))
    who.accounts.add("anna", GOOD)
    everybody["password"] = signed_in(who)
    stranger = Person("oidc-1", "A", {"email": "a@example.org"})
    everybody["oidc"] = who.signed_in(stranger, "oidc")
    rooms = {
        "none": settings,
        "open": replace(settings, host="0.0.0.0", open_to_all=True),
        "password": with_password(settings),
        "oidc": replace(settings, sign_in="oidc"),
    }
    for room, its_settings in rooms.items():
        for way, person in everybody.items():
            current = People(its_settings).is_current(person.identifier, person.proof)
            assert current is (way == room), (way, room)
    assert not People(settings).is_current("local", {})
    both = People(replace(settings, sign_in="password, oidc"))
    for way in ("password", "oidc"):
        assert both.is_current(everybody[way].identifier, everybody[way].proof)


def test_an_address_that_is_no_longer_allowed_is_out(settings: Settings) -> None:
    oidc = replace(settings, sign_in="oidc", oidc_allow="*@example.org")
    person = People(oidc).signed_in(Person("oidc-1", "A", {"email": "a@EXAMPLE.org"}), "oidc")
    assert People(oidc).is_current(person.identifier, person.proof)
    narrower = replace(oidc, oidc_allow="b@example.org, *@other.example")
    assert not People(narrower).is_current(person.identifier, person.proof)


@pytest.mark.parametrize(
    ("place", "way"),
    [
        ({}, {"local"}),
        ({"host": "::1"}, {"local"}),
        ({"public_url": "http://localhost:9000"}, {"local"}),
        ({"host": "0.0.0.0"}, None),
        ({"host": "192.168.1.5"}, None),
        ({"public_url": "https://news.example.org"}, None),
        ({"public_url": "https://news.example.org", "open_to_all": True}, {"guest"}),
        ({"host": "0.0.0.0", "open_to_all": True}, {"guest"}),
        ({"host": "0.0.0.0", "sign_in": "password"}, {"password"}),
        ({"open_to_all": True}, {"local"}),
    ],
)
def test_others_are_let_in_only_where_somebody_said_so(
    settings: Settings, place: dict[str, Any], way: set[str] | None
) -> None:
    placed = replace(settings, **place)
    if way is not None:
        assert people.ways(placed) == way
        return
    with pytest.raises(SettingsError) as refused:
        people.ways(placed)
    for out in ("DATELINE_SIGN_IN", "--open-to-all", "DATELINE_OPEN_TO_ALL=on"):
        assert out in str(refused.value)


def test_guests_cannot_be_guessed_and_are_never_the_same(settings: Settings) -> None:
    who = People(replace(settings, host="0.0.0.0", open_to_all=True))
    guests = {who.guest().identifier for _ in range(100)}
    assert len(guests) == 100
    assert all(len(guest) >= len("guest-") + 32 for guest in guests)


# The secret


def test_the_secret_is_made_once_and_only_its_owner_reads_it(settings: Settings) -> None:
    made = people.secret(settings, {})
    assert len(made) >= 32
    assert people.secret(settings, {}) == made
    path = settings.index / "chat" / "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["secret"]
    assert people.secret(settings, {"CHAINLIT_AUTH_SECRET": "y" * 32}) == "y" * 32
    with pytest.raises(SettingsError, match="32 characters") as refused:
        people.secret(settings, {"CHAINLIT_AUTH_SECRET": "yyy"})
    assert "yyy" not in str(refused.value)
    path.write_text("")
    with pytest.raises(IndexStorage, match="damaged"):
        people.secret(settings, {})


# Guessing

ADDRESSES = st.sampled_from(["1.1.1.1", "2.2.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"])
GUESSES = st.lists(st.tuples(st.sampled_from("abc"), ADDRESSES, st.integers(0, 40)), max_size=60)


@given(GUESSES)
def test_guesses_wait_longer_and_keep_nobody_else_out(
    guesses: list[tuple[str, str, int]],
) -> None:
    clock = Clock()
    throttle = Throttle(clock)
    admitted: dict[tuple[str, str], list[float]] = {}
    for name, address, wait in guesses:
        clock.now += wait
        if throttle.admits(name, address):
            admitted.setdefault((name, address[:10]), []).append(clock.now)
    for times in admitted.values():
        for count, (earlier, later) in enumerate(pairwise(times), 1):
            assert later - earlier >= (min(2 ** (count - 4), 900) if count >= 5 else 0)
    assert throttle.admits("somebody else", "1.1.1.1")
    assert throttle.admits("a", "3.3.3.3")


def test_the_right_password_and_an_hour_make_good_for_guesses() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert [throttle.admits("Anna", "1.1.1.1") for _ in range(7)] == [True] * 5 + [False] * 2
    assert not throttle.admits("ANNA ", "1.1.1.1")
    throttle.forget("anna", "1.1.1.1")
    assert throttle.admits("anna", "1.1.1.1")
    for _ in range(200):
        clock.now += 1000
        throttle.admits("anna", "1.1.1.1")
    clock.now += people.LONGEST_WAIT_S + 3601
    assert [throttle.admits("anna", "1.1.1.1") for _ in range(6)] == [True] * 5 + [False]


# The command


def command(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, *arguments: str, typed: str = ""
) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return cli.main(["people", "--index", str(settings.index), *arguments])


def test_people_are_added_listed_changed_and_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    assert command(monkeypatch, settings, "list", "--json") == 0
    assert capsys.readouterr().out == "[]\n"
    assert command(monkeypatch, settings, "add", "Anna", typed=f"{GOOD}\nmore\n") == 0
    assert command(monkeypatch, settings, "add", "berta", typed=GOOD) == 0
    assert command(monkeypatch, settings, "password", "anna", typed=f"another {GOOD}\r\n") == 0
    assert command(monkeypatch, settings, "remove", "berta") == 0
    shown = capsys.readouterr()
    assert GOOD not in shown.out + shown.err
    assert command(monkeypatch, settings, "list") == 0
    assert capsys.readouterr().out == "anna\n"
    assert Accounts(settings).check("anna", f"another {GOOD}")
    for wrong in (["add", "anna"], ["remove", "carl"], ["add"], ["list", "anna"], ["password"]):
        assert command(monkeypatch, settings, *wrong, typed=GOOD) == 2
    assert command(monkeypatch, settings, "add", "carl", typed="\n") == 2


def test_on_a_terminal_a_password_is_asked_for_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    typed = iter([GOOD, "another one", GOOD, GOOD])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    monkeypatch.setattr("sys.stdin", Terminal())
    add = ["people", "add", "anna", "--index", str(settings.index)]
    assert cli.main(add) == 2
    assert "not the same" in capsys.readouterr().err
    assert cli.main(add) == 0


def test_a_page_open_to_others_is_refused_before_anything_is_read(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    chat = ["chat", "--host", "0.0.0.0", "--corpus", "/missing", "--index", str(settings.index)]
    assert cli.main(chat) == 2
    assert "--open-to-all" in capsys.readouterr().err
    assert cli.main([*chat, "--open-to-all"]) != 0
    assert "/missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"SIGN_IN": "passwords"}, "DATELINE_SIGN_IN"),
        ({"SIGN_IN": "none,password"}, "DATELINE_SIGN_IN"),
        ({"SIGN_IN": "oidc"}, "DATELINE_OIDC_ISSUER"),
        ({"SIGN_IN": "oidc", "OIDC_ISSUER": "https://x"}, "DATELINE_OIDC_CLIENT_ID"),
        ({"SIGN_IN": "oidc", "OIDC_ISSUER": "http://x", "OIDC_CLIENT_ID": "x"}, "https"),
        ({"PUBLIC_URL": "news.example.org"}, "DATELINE_PUBLIC_URL"),
        ({"PUBLIC_URL": "https://example.org/news"}, "DATELINE_PUBLIC_URL"),
        ({"PUBLIC_URL": "https://a;b"}, "DATELINE_PUBLIC_URL"),
        (
            {"SIGN_IN": "oidc", "OIDC_ISSUER": "https://x", "OIDC_CLIENT_ID": "x", "HOST": "::"},
            "DATELINE_PUBLIC_URL",
        ),
    ],
)
def test_settings_of_sign_in_that_cannot_be_used_are_named(
    wrong: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings.from_env({f"DATELINE_{name}": value for name, value in wrong.items()})
