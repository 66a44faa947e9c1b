"""People who come from a provider of identities."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from oidc_provider import CLIENT, SECRET, STRANGER_KEY, Provider, providing

from assistant.doors.chat.oidc import NotSignedIn, Reception, discover
from assistant.doors.doctor import examine
from assistant.keeping.people import Accounts, Person
from assistant.settings import Settings
from indexing.errors import SettingsError

BACK = "http://127.0.0.1:8000/auth/oidc/callback"
ANNA = {"sub": "248289761001", "email": "Anna@Example.org", "name": "Anna Berg"}


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    with providing(**ANNA) as running:
        yield running


def oidc(settings: Settings, provider: Provider) -> Settings:
    return replace(
        settings,
        sign_in="oidc",
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        oidc_allow="*@example.org",
    )


class Trip:
    """A browser on its way to the provider and back."""

    def __init__(self, settings: Settings) -> None:
        self.reception = Reception(settings, discover(settings), "a secret of the server" * 2)
        address, self.kept = self.reception.depart(BACK)
        sent = httpx.get(address)
        self.back = dict(parse_qsl(urlsplit(sent.headers["location"]).query))

    def arrive(self, **other: str) -> Person:
        kept = other.pop("kept", self.kept)
        return asyncio.run(self.reception.arrive(self.back | other, kept, BACK))


def test_whoever_the_provider_knows_is_the_same_person_each_time(
    settings: Settings, provider: Provider
) -> None:
    wanted = oidc(settings, provider)
    first = Trip(wanted).arrive()
    assert first.identifier.startswith("oidc-")
    assert (first.name, first.proof["email"]) == ("Anna Berg", "Anna@Example.org")
    provider.person |= {"name": "Anna Lund", "email": "lund@example.org"}
    again = Trip(wanted).arrive()
    assert (again.identifier, again.name) == (first.identifier, "Anna Lund")
    provider.person["sub"] = "another"
    assert Trip(wanted).arrive().identifier != first.identifier


def test_one_subject_of_two_providers_is_two_people(settings: Settings, provider: Provider) -> None:
    with providing(**ANNA) as other:
        here, there = (Trip(oidc(settings, one)).arrive() for one in (provider, other))
    assert here.identifier != there.identifier


def test_an_address_that_is_only_in_userinfo_counts(settings: Settings, provider: Provider) -> None:
    provider.lies = {"email": None, "name": None}
    assert Trip(oidc(settings, provider)).arrive().name == "Anna Berg"
    provider.in_userinfo = {**ANNA, "sub": "somebody else"}
    with pytest.raises(NotSignedIn, match="somebody else"):
        Trip(oidc(settings, provider)).arrive()


def test_a_code_is_good_once_and_with_its_verifier(settings: Settings, provider: Provider) -> None:
    trip, other = Trip(oidc(settings, provider)), Trip(oidc(settings, provider))
    with pytest.raises(NotSignedIn, match="400"):
        trip.arrive(code=other.back["code"])  # stolen from another browser
    trip = Trip(oidc(settings, provider))
    trip.arrive()
    with pytest.raises(NotSignedIn, match="400") as replayed:
        trip.arrive()
    assert replayed.value.reason == "sso_failed"
    assert SECRET not in str(replayed.value)


@pytest.mark.parametrize(
    ("brought", "reason"),
    [
        ({"state": "forged"}, "sso_start_again"),
        ({"state": "é"}, "sso_start_again"),
        ({"kept": ""}, "sso_start_again"),
        ({"kept": "eyJhbGciOiJub25lIn0.eyJzdGF0ZSI6ImEifQ."}, "sso_start_again"),
        ({"iss": "https://evil.example"}, "sso_failed"),
        ({"code": ""}, "sso_failed"),
        ({"code": "made up"}, "sso_failed"),
        ({"error": "access_denied"}, "sso_refused"),
    ],
)
def test_what_a_browser_brings_is_checked(
    settings: Settings, provider: Provider, brought: dict[str, str], reason: str
) -> None:
    trip = Trip(oidc(settings, provider))
    with pytest.raises(NotSignedIn) as refused:
        trip.arrive(**brought)
    assert refused.value.reason == reason
    assert provider.redeemed == []


@pytest.mark.parametrize(
    "lies",
    [
        {"iss": "https://evil.example"},
        {"aud": "another program"},
        {"aud": [CLIENT, "another program"]},
        {"azp": "another program"},
        {"exp": 1},
        {"iat": 4_000_000_000},
        {"nonce": "of another time"},
        {"nonce": None},
        {"sub": None},
    ],
)
def test_an_identity_token_that_is_not_for_us_now_is_refused(
    settings: Settings, provider: Provider, lies: dict[str, Any]
) -> None:
    provider.lies = lies
    with pytest.raises(NotSignedIn) as refused:
        Trip(oidc(settings, provider)).arrive()
    assert refused.value.reason == "sso_failed"


@pytest.mark.parametrize("key", [STRANGER_KEY, None])
def test_an_identity_token_that_others_signed_is_refused(
    settings: Settings, provider: Provider, key: Any
) -> None:
    provider.key = key
    with pytest.raises(NotSignedIn, match="identity token"):
        Trip(oidc(settings, provider)).arrive()


def test_a_provider_may_change_its_keys(settings: Settings, provider: Provider) -> None:
    trip = Trip(oidc(settings, provider))
    trip.arrive()
    provider.key_id = "second"
    address, trip.kept = trip.reception.depart(BACK)
    trip.back = dict(parse_qsl(urlsplit(httpx.get(address).headers["location"]).query))
    assert trip.arrive().name == "Anna Berg"


@pytest.mark.parametrize(
    ("person", "allow", "enters"),
    [
        ({}, "*@example.org", True),
        ({}, "b@x.example, ANNA@example.ORG", True),
        ({}, "*@example.com", False),
        ({"email_verified": True}, "*@example.org", True),
        ({"email_verified": False}, "*@example.org", False),
        ({"email_verified": "false"}, "*@example.org", False),
        ({"email": None}, "*@example.org", False),
        ({"email": "a@evil.example,b@example.org"}, "*@example.org", False),
        ({"email": "a@evil.example\n@example.org"}, "*@example.org", False),
        ({"email": ["anna@example.org"]}, "*@example.org", False),
        ({"email": None}, "*", True),
        ({"email_verified": False}, "*", True),
    ],
)
def test_only_verified_addresses_that_are_allowed_let_in(
    settings: Settings, provider: Provider, person: dict[str, Any], allow: str, enters: bool
) -> None:
    provider.person |= person
    wanted = replace(oidc(settings, provider), oidc_allow=allow)
    if not enters:
        with pytest.raises(NotSignedIn) as refused:
            Trip(wanted).arrive()
        assert refused.value.reason == "sso_not_allowed"
        return
    arrived = Trip(wanted).arrive()
    assert (arrived.proof["email"] is None) is (allow == "*")


def test_a_provider_that_is_down_or_talks_nonsense_is_said(
    settings: Settings, provider: Provider
) -> None:
    trip = Trip(oidc(settings, provider))
    provider.down = True
    with pytest.raises(NotSignedIn, match="503"):
        trip.arrive()
    wanted = oidc(settings, provider)
    for says, named in (
        ({"issuer": "https://evil.example"}, "must be equal"),
        ({"token_endpoint": "http://evil.example/token"}, "token_endpoint"),
        ({"jwks_uri": None}, "jwks_uri"),
    ):
        provider.says = says
        with pytest.raises(SettingsError, match=named) as refused:
            discover(wanted)
        assert "DATELINE_OIDC_ISSUER" in str(refused.value)
        assert SECRET not in str(refused.value)


def test_no_provider_at_that_address_is_said(settings: Settings, provider: Provider) -> None:
    wanted = oidc(settings, provider)
    with pytest.raises(SettingsError, match=r"DATELINE_OIDC_ISSUER.*status 404"):
        discover(replace(wanted, oidc_issuer=f"{provider.issuer}/nowhere"))
    with providing(**ANNA) as gone:
        trip = Trip(oidc(settings, gone))
    with pytest.raises(NotSignedIn) as down:
        trip.arrive()
    assert down.value.reason == "sso_down"
    with pytest.raises(SettingsError, match=r"DATELINE_OIDC_ISSUER.*cannot be reached"):
        discover(oidc(settings, gone))


def test_the_doctor_says_who_may_sign_in(settings: Settings, provider: Provider) -> None:
    def found(wanted: Settings) -> tuple[str, str]:
        finding = next(f for f in examine(wanted) if f.check == "sign-in")
        assert SECRET not in finding.says
        return finding.state, finding.says

    quick = replace(settings, reranker="none")
    assert found(quick)[0] == "ok"
    assert found(replace(quick, host="0.0.0.0")) == (
        "broken",
        found(replace(quick, host="0.0.0.0"))[1],
    )
    assert found(replace(quick, host="0.0.0.0", open_to_all=True))[0] == "todo"
    with_password = replace(quick, sign_in="password")
    assert "people add" in found(with_password)[1]
    Accounts(settings).add("anna", "correct horse")
    assert found(with_password) == ("ok", "password, 1 person")
    assert found(oidc(quick, provider)) == ("ok", f"single sign-on of {provider.issuer}")
    assert found(replace(oidc(quick, provider), oidc_issuer="http://localhost:1"))[0] == "broken"
