"""The language a question is in."""

from __future__ import annotations

import re
import unicodedata

_FUNCTION_WORDS = {
    language: (frozenset(telling.split()), frozenset(others.split()), frozenset(shared.split()))
    for language, (telling, others, shared) in {
        "French": (
            "quand qui quoi quel quelle quels quelles où pourquoi combien qu sont était étaient être avoir"
            " peut peuvent doit doivent je vous ils elles",
            "que est le la les des du de et ou dans sur pour avec nous ce cette ces au aux entre"
            " ne il elle une ont tu été",
            "on a",
        ),
        "German": (
            "wann wer wie warum wieso weshalb welche welcher welches welchen wieviel ist sind wird werden"
            " wurde wurden haben kann können koennen muss müssen sollen nicht kein keine ich wir gibt dass",
            "der das dem des ein eine einer einem einen und oder mit für von vom zu zum zur bei beim auf"
            " aus nach über zwischen gegen seit als auch sich sie es die wo",
            "was in an so will",
        ),
        "Spanish": (
            "¿ cuándo cuando quién quien quiénes qué cuál cual cuáles dónde donde cómo cuánto cuántos cuántas"
            " está están fue fueron tiene tienen puede pueden debe usted ustedes nosotros",
            "que es el la los las una del de y en entre por para se más pero también este esta como",
            "a no me",
        ),
        "Italian": (
            "quando quale quali perché quanto quanti quante sono è hanno può possono deve questo questa"
            " noi loro",
            "chi che cosa il gli la le una della delle degli dei del di da nel nella nell dell sul"
            " sulla dalla al alla tra fra anche più e",
            "a i in",
        ),
        "Portuguese": (
            "quando quem qual quais onde porque quanto quantos quantas é está estão foram pode podem deve"
            " não nao você vocês voce nós eles elas isso",
            "que o os uma da dos das de em na nos nas para por ao se mais como sobre entre pelo pela foi"
            " são tem",
            "a as no do me",
        ),
        "Dutch": (
            "wanneer wie wat waar waarom welke hoeveel zijn wordt worden werd heeft hebben niet geen kunnen"
            " moet moeten zullen ik jij wij zij hij",
            "de het een voor bij naar uit aan ook maar dat deze dit en te",
            "is in of was we over had me",
        ),
        "Polish": (
            "kiedy kto gdzie dlaczego jaki jaka jakie ile jest są był była było będzie nie czy się mają"
            " może",
            "w z na że dla od po o oraz przez przed między lub jak co tego ta",
            "a i do to",
        ),
        "Swedish": (
            "när vem vad varför vilken vilket vilka är blir blev inte jag måste finns",
            "och att det som ett på för av från eller mellan med en har hur de",
            "i under so",
        ),
        "Danish": (
            "hvornår hvem hvad hvorfor hvordan hvilken hvilket hvilke hvor ikke jeg blev bliver skal",
            "og det en på af fra med som der mellem eller har når",
            "for at i have under",
        ),
        "Norwegian": (
            "hvem hva hvorfor hvordan hvilken hvilket hvilke hvor ikke jeg ble blir skal",
            "og det en på av fra med som mellom eller har når",
            "for at i under",
        ),
        "Czech": (
            "kdy kdo kde proč jaký jaká jaké kolik jsou byl byla bylo bude není který která které",
            "se že na v pro od nebo mezi je jak co ve",
            "a do to",
        ),
        "Romanian": (
            "când cine unde cât câte este sunt fost",
            "ce la o pe cu pentru între al și şi că de nu",
            "in a",
        ),
        "Turkish": (
            "nedir nerede neden nasıl kaç hangi değil",
            "ne ve bir bu için ile kim mı ama yok olan",
            "",
        ),
    }.items()
}

_ENGLISH = frozenset(
    """a about after all an and any are as at be because been before between but by can could did do does
    for from had has have he her his how i if in is it its me my no not of on or our over said say says
    she should so than that the their them then there these they this those to under us was we were what
    when where which who whose why will with would you your""".split()
)


def languages(text: str) -> list[str]:
    """The languages other than English that `text` is evidently in, those told best."""
    said = frozenset(re.findall(r"[^\W\d_]+|¿", unicodedata.normalize("NFC", text.lower())))
    scores = {
        language: len(said & telling) + len(said & others)
        for language, (telling, others, shared) in _FUNCTION_WORDS.items()
        if said & telling and not said & _ENGLISH - shared
    }
    best = max(scores.values(), default=0)
    return [language for language, score in scores.items() if score == best >= 2]


def is_in_another_script(text: str) -> bool:
    letters = [c for c in unicodedata.normalize("NFKC", text) if c.isalpha()]
    other = sum(not unicodedata.name(c, "").startswith("LATIN ") for c in letters)
    return other > 1 and 2 * other > len(letters)  # one alone is a symbol, such as π
