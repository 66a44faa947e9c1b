"""Clean: say which characters of an article are not the article.

Pages that were scraped carry menus, share buttons, newsletter boxes, disclaimers, codes and links to
other stories. Here they are found line by line, and at the ends of lines that scrapers have glued
together; what is found is replaced by spaces, never removed, so that offsets stay those of the file.

What is lost here can never be quoted, so doubt keeps a line: a phrase counts only when it is all of a
line or of the last segment of one, words that may be headings ("Comments", "Facebook") only
beside certain furniture, and untold fragments only below the last sentence of the article.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexing.schema import Document, Span

# A longer line is prose: only its end is looked at.
_LINE_CHARS = 300
_TAIL_CHARS = 160
_LEGAL_CHARS = 3000

# What page furniture says, the whole of it. `_` stands for a short free rest, such as the name of a site.
# Sources: the phrases that news sites put round their articles, in the languages their links come in.
_CERTAIN = r"""
skip to (?:main )?content|(?:explore|discover|browse) more (?:\w+ ?){1,2}
share us|share (?:this|the) (?:article|story|post|page|news|content)_|share (?:on|via) (?:\w+ ?){1,2}
(?:follow|find|like|join) us on_|(?:on|via) (?:your |our )?social (?:networks|media)
(?:add|leave|post|write) (?:a |your )?(?:comment|reply)s?|add comments|no comments(?: yet)?|\d+ comments?
(?:view|show|see|read|load) (?:all )?(?:\d+ )?comments|be the first to comment|join the (?:conversation|discussion)
(?:view|show|load|see|read|learn) more|continue reading_|read (?:the )?(?:full|whole|entire|original|rest of the) (?:article|story|post)_
click here_|read (?:more|full story|full article) (?:at|on|here)_|keep reading|story continues below_|(?:article|story) continues (?:below|after)_
more (?:stories|news|articles|headlines|from the web)|more (?:stories|news|articles) (?:like this|from|on|about)_
related (?:articles?|stories|story|news|content|posts?|links|coverage|topics|reading|items)
(?:you )?(?:may|might) also (?:like|enjoy|be interested in)|recommended (?:for you|stories|articles|reading)
(?:most|popular) (?:read|popular|viewed|commented|stories|articles|posts)|trending (?:now|stories|news)|editor['’]?s['’]? picks|what to read next
(?:next|previous) (?:article|story|post)|back to (?:top|home)|advertise with us
advertisement|advertorial|sponsored content|paid (?:content|post)|scroll to continue_
sign up (?:now|today|here|free|for free)(?: (?:now|today|here))?|subscribe (?:now|today|here|for free|to continue_)|(?:register|join) (?:now|for free)
(?:sign up|subscribe|register) (?:now |today |here )?(?:for|to) (?:our|the|receive|get) (?:[^.!?]{0,100})(?:newsletters?|updates|alerts?|inbox|e-?mails?|briefing|channel|podcast)_
(?:get|receive) (?:the |our |all the )?(?:latest |top |daily |breaking )*(?:news|stories|headlines|updates)(?: (?:on this topic|in your (?:inbox|e-?mail)|delivered_|straight to_|by e-?mail_|to your_))?
enter your e-?mail(?: address)?_|your e-?mail address_|already (?:a|an) (?:subscriber|member|account)_|create (?:a |an )?(?:free )?account
by (?:sign|subscrib|click|register|submitt|continu|enter)ing (?:[^.!?]{0,60})you agree_{3}|by sign\w+ (?:up )?(?:to|for) this_{2}|agree to (?:our|the) terms_
(?:we|this (?:web)?site|our (?:web)?site) uses? cookies_{4}|(?:accept|reject|manage|allow) (?:all )?cookies|cookie (?:policy|settings|notice|preferences)|manage (?:preferences|consent)
(?:read our )?privacy policy|terms (?:of (?:use|service)|(?:and|&) conditions)|terms of (?:use|service) (?:and|&|\|) privacy policy|do not sell my personal information
(?:©|\(c\)|copyright ©|copyright \(c\)) ?(?:19|20)\d\d_{3}|copyright (?:19|20)\d\d_{2}all rights reserved_|all rights reserved
this material may not be published, broadcast, rewritten_{2}|the views expressed in this article are (?:those of the author|the author['’]s own)_{2}
\((?:photo|image|picture)s? (?:by|credit:?|courtesy(?: of)?) [^.!?]{2,80}\)|getty images
(?:weiter )?zum (?:vollständigen|ganzen|kompletten|originalen?) (?:artikel|beitrag)_|weiterlesen_|(?:hier )?weiter ?lesen(?: auf| bei)_|mehr (?:lesen|anzeigen|zum thema)|lesen sie (?:auch|mehr)_|(?:jetzt )?(?:newsletter )?abonnieren|artikel teilen|kommentar (?:schreiben|verfassen|hinzufügen)
lire (?:la suite|plus|aussi|l['’]article(?: complet| original| en entier| intégral)?)_|en savoir plus|voir plus|à lire aussi_|(?:s['’]abonner|abonnez-vous)_|(?:ajouter|laisser) un commentaire|partager (?:cet article|sur)_
(?:leer|ver) (?:más|mas)|leer (?:el artículo|la nota|la noticia) complet[oa]_|seguir leyendo_|lea también_|(?:suscríbete|suscríbase|suscribirse)_|(?:deja|añadir|agregar) un comentario|compartir (?:en|esta noticia|este artículo)_
leggi (?:tutto|di più|anche|l['’]articolo(?: completo| originale)?)_|continua a leggere_|per saperne di più|iscriviti_|lascia un commento
(?:leia|ler|ver) mais|(?:leia|ler) (?:o )?artigo completo_|leia (?:também|a matéria completa)_|continu(?:e|ar) (?:a )?(?:ler|lendo)_|saiba mais|(?:assine|inscreva-se)_|deixe um comentário
lees (?:verder|meer|ook|het (?:volledige|hele) artikel)_|läs (?:mer|vidare|också|hela artikeln)_|læs (?:mere|også|hele artiklen)_|les (?:mer|også|hele (?:saken|artikkelen))_|lue (?:lisää|myös|koko (?:artikkeli|juttu))_
czytaj (?:więcej|dalej|także|cały artykuł)_|(?:číst|čtěte) (?:dále|více|také|celý článek)_|čítať (?:ďalej|viac|celý článok)_|(?:tovább a (?:teljes )?cikkhez|tovább olvasom)_|citește (?:mai mult|și|tot articolul|articolul complet)_|прочети (?:повече|още|цялата статия)_|pročitaj(?:te)? (?:više|još|cijeli članak)_
devamını oku_|haberin devamı_|читать (?:далее|дальше|полностью|также|ещё|еще|полную статью)_|подробнее|читати (?:далі|більше|також|повністю)_|διαβάστε (?:περισσότερα|επίσης|ολόκληρο το άρθρο)_|baca (?:juga|selengkapnya)_|(?:xem|đọc) thêm_
続きを読む|もっと見る|全文を読む|記事全文を読む|阅读(?:更多|全文|原文)|閱讀(?:更多|全文|原文)|查看(?:更多|原文|全文)|더 ?보기|기사 (?:전문|원문) ?보기|자세히 보기|اقرأ (?:المزيد|أيضا|أيضًا)_|קרא(?:ו)? (?:עוד|גם)_|और पढ़ें_|อ่าน(?:ต่อ|เพิ่มเติม)_
"""

# Furniture too, but also plausible as a heading or the item of a list: counts beside a certain line.
_POSSIBLE = r"""
share|tweet|pin|e-?mail|print|save|bookmark|copy(?: link)?|facebook|twitter|x|linkedin|whatsapp|telegram|instagram|youtube|reddit|pinterest|threads|messenger|rss|tiktok
menu|search|close|home|see all|view all|no,? thanks|not now|log ?in|sign ?(?:in|up)|subscribe|register|newsletters?|comments?|reply|contact(?: us)?|about(?: us)?|careers|faq|help|disclaimer|advertise|ad|sponsored
news|latest(?: news)?|trending|popular|recommended|more|next|previous|teilen|kommentare?|anzeige|werbung|partager|commentaires?|publicité|compartir|comentarios?|publicidad|condividi|commenti|pubblicità
"""


def _any_of(phrases: str, before: str) -> re.Pattern[str]:
    branches = "|".join(line.strip() for line in phrases.strip().splitlines())
    rest = re.sub(r"_\{(\d)\}", lambda m: rf"[^\n]{{0,{60 * int(m[1])}}}", branches)
    # A short free rest is words: it ends no sentence but for the dot of "example.com".
    rest = rest.replace("_", r"(?:\b(?:[^.!?\n]|[.](?=\w)){0,60})?")
    return re.compile(rf"{before}(?:{rest})[^\w\"”’']{{0,6}}", re.IGNORECASE)


_FURNITURE = _any_of(_CERTAIN, r"[\s•·*|#>»›→▶►+–—-]{0,6}")
_PERHAPS_FURNITURE = _any_of(_POSSIBLE, r"[|>»›\s]{0,3}")

# A link to another story: "Read more: ..." and its headline, which has no full stop.
_POINTER = re.compile(
    r"(?:read (?:more|next|also|this)|also read|see also|related(?: story| article| coverage)?|more on this(?: story)?"
    r"|don['’]t miss|(?:à )?lire aussi|lesen sie auch|lea también|leia também|leggi anche|lees ook|читайте также)"
    r" ?[:：] ?[^\n]{2,150}[^.!\n]",
    re.IGNORECASE,
)
# Case counts in these: they are told from a caption by holding names alone, from prose by capitals.
_CREDIT = re.compile(
    r"\(?(?:Photo(?:graph)?|PHOTO|Image|IMAGE|Picture|Foto)(?: [Cc]redit| CREDIT)?(?::| [Bb]y:?| [Cc]ourtesy(?: of)?:?)"
    r"(?: ?[A-ZÀ-Þ][\w.'’&-]*(?:[/,|] ?)?| (?:of|via|for|de|von)\b){1,9}\)?|©(?: ?[A-Z][\w.&-]*[/,]?){1,6}"
)
_CODE = re.compile(r"(?=(?:\D*\d){8})(?=[0-9]*[A-Z][0-9]*[A-Z])[A-Z0-9]{16,80}")
# Share prices: "2026-02-04 Acme Corporation Aktie", "ACME 41.20 +1.3%"
_SHARE = re.compile(
    r"(?:\w+:? )?\d{4}-\d\d-\d\d .{2,60} (?:aktien?|aktienkurs|share price|stock(?: price)?|bourse|azioni)",
    re.IGNORECASE,
)
_PRICE = re.compile(
    r"[A-Z][A-Z0-9.:&]{0,11} [$€£]?\d[\d.,]{0,20} \(?[+−▲▼-] ?\d[\d.,]{0,20}(?: \(?[+−▲▼-]?\d[\d.,]{0,20})? ?%\)?"
)
_TRAIL = re.compile(
    r"(?:home|homepage|start|startseite|accueil|inicio|news) ?[>»›→/|] ?\w[^.!?\n]{0,80}",
    re.IGNORECASE,
)
# Set between two sentences by the page, without a space on the left.
_GLUED_ADVERTISEMENT = re.compile(
    r"(?<=[.!?”\"])(?:ADVERTISEMENT|Advertisement|Story continues below(?: advertisement)?"
    r"|Article continues (?:below|after)(?: this)?(?: ad(?:vertisement)?)?)(?=\s?[A-Z“\"])"
)
_PASSING = re.compile(
    r"\W*(?:advertis|sponsor|paid |scroll|story cont|article cont|photo|image|picture|foto|©|\(|getty)",
    re.IGNORECASE,
)

_LEGAL_HEADING = re.compile(
    r"(?:legal |general )?disclaimer|legal notice|haftungsausschluss|rechtlicher hinweis|avis de non-responsabilité"
    r"|aviso legal|descargo de responsabilidad|note legali",
    re.IGNORECASE,
)
# Phrases that only a disclaimer holds, and words that reports of law hold as well.
_LEGAL_PHRASES = re.compile(
    r"[\"“]as is[\"”]|\bwithout warranty|\bwarrant(?:y|ies) of any kind|\b(?:accepts?|assumes?) (?:any|no) (?:responsibility|liability)"
    r"|\bresponsibility or liability|\binformation contained (?:in|herein|on)\b|\binformational purposes only|\bat your own risk"
    r"|\b(?:contact|reach) the (?:author|provider|publisher)|\bnot (?:be )?(?:held )?(?:liable|responsible) for\b"
    r"|\bconstitutes? (?:investment|financial|legal|professional|tax) advice|\bohne gewähr\b|\bkeine (?:haftung|anlageberatung)\b"
    r"|\bdécline toute responsabilité|\bno se hace responsable|\bnon si assume alcuna responsabilità",
    re.IGNORECASE,
)
_LEGAL_WORDS = re.compile(
    r"\bliability\b|\baccuracy\b|\bcompleteness\b|\breliability\b|\bcopyright\b|\blegality\b|\badvice\b|\breliance\b|\bthird[- ]part(?:y|ies)\b"
    r"|\bhaftung\b|\bvollständigkeit\b|\bexactitude\b|\bexactitud\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?…。！？।؟][\"”’'»)\]]*")


@dataclass(slots=True)
class _Line:
    """A line without the white space round it, not empty; `text` only of one short enough to judge."""

    start: int
    end: int
    text: str
    is_furniture: bool = False

    @property
    def is_sentence(self) -> bool:
        """Whether it reads as prose: long, or some words that end as a sentence does."""
        if len(self.text) < self.end - self.start or len(self.text) > 140:
            return True
        ends = bool(_SENTENCE_END.search(self.text, len(self.text) - 4))
        return ends and (len(self.text.split()) >= 6 or len(self.text) >= 40)

    @property
    def is_fragment(self) -> bool:
        """Whether it could be the text of a button or a link: a few words that end no sentence."""
        short = len(self.text.split()) <= 16 and not self.is_sentence
        return (
            short and self.text[-1] not in ".!?" and not re.search(r"^[•*\d–—-]|[\t|]", self.text)
        )


def clean(document: Document) -> tuple[str, tuple[Span, ...]]:
    """The text of `document` without markup and page furniture, and where the furniture stands.

    The text has the length of `document.raw`: what is taken out becomes spaces, line breaks stay.
    The spans are sorted and disjoint; they do not hold what is markup alone. An article of which
    nothing would be left keeps all but its markup. Time is linear in the length of the text.
    """
    text = _blank(document.raw, document.markup)
    lines = [
        _Line(match.start(), match.end(), match[0] if len(match[0]) <= _LINE_CHARS else "")
        for match in re.finditer(r"[^\s](?:[^\r\n]*[^\s])?", text)
    ]
    _mark_certain(lines)
    _mark_legal(lines, text)
    _mark_neighbours(lines)
    _mark_repeated_head(lines)
    _mark_tail(lines)
    furniture = [Span(line.start, line.end) for line in lines if line.is_furniture]
    for line in lines:
        if not line.is_furniture:
            furniture += _glued(text, line)
    boilerplate = tuple(_merged(sorted(furniture), text))
    cleaned = _blank(text, boilerplate)
    if not re.search(r"\w", cleaned):
        return text, ()
    return cleaned, boilerplate


def _blank(text: str, spans: Sequence[Span]) -> str:
    pieces, done = [], 0
    for span in spans:
        pieces += [text[done : span.start], re.sub(r"[^\r\n]", " ", text[span.start : span.end])]
        done = span.end
    return "".join((*pieces, text[done:]))


def _merged(spans: Sequence[Span], text: str) -> Iterator[Span]:
    """`spans`, those with nothing but white space between them made one."""
    current: Span | None = None
    for span in spans:
        if current and not text[current.end : span.start].strip():
            current = Span(current.start, span.end)
        else:
            if current:
                yield current
            current = span
    if current:
        yield current


# --- whole lines ----------------------------------------------------------------------------


def _mark_certain(lines: Sequence[_Line]) -> None:
    patterns = (_FURNITURE, _POINTER, _CREDIT, _CODE, _SHARE, _PRICE, _TRAIL)
    for line in lines:
        if line.text:
            line.is_furniture = any(p.fullmatch(line.text) for p in patterns) or _is_menu(line.text)


def _is_menu(text: str) -> bool:
    """Whether the line is a row of buttons: "Facebook | Twitter | Print"."""
    if not re.search(r"[|·•]", text):
        return False
    parts = [part.strip() for part in re.split(r"[|·•]", text) if part.strip()]
    return len(parts) > 1 and all(
        _FURNITURE.fullmatch(part) or _PERHAPS_FURNITURE.fullmatch(part) for part in parts
    )


def _mark_legal(lines: Sequence[_Line], text: str) -> None:
    """A disclaimer: the paragraphs below its heading or, without one, the last of the article."""
    under_heading = None
    for n, line in enumerate(lines):
        if line.text and _LEGAL_HEADING.fullmatch(line.text.rstrip(" :.")):
            under_heading = line
            continue
        excerpt = text[line.start : min(line.end, line.start + _LEGAL_CHARS)]
        is_last = n >= len(lines) - 4 and n > 0
        if not (under_heading or is_last):
            continue
        phrases = {match[0].lower() for match in _LEGAL_PHRASES.finditer(excerpt)}
        words = {match[0].lower() for match in _LEGAL_WORDS.finditer(excerpt)}
        least_phrases, least_all = (1, 2) if under_heading else (2, 4)
        is_short = line.end - line.start <= _LEGAL_CHARS
        if is_short and len(phrases) >= least_phrases and len(phrases | words) >= least_all:
            line.is_furniture = True
            if under_heading:
                under_heading.is_furniture = True
        else:
            under_heading = None


def _mark_neighbours(lines: Sequence[_Line]) -> None:
    """Words that may be furniture are when they stand beside some."""
    for ordered in (lines, lines[::-1]):
        for before, line in itertools.pairwise(ordered):
            if before.is_furniture and _PERHAPS_FURNITURE.fullmatch(line.text):
                line.is_furniture = True


def _mark_repeated_head(lines: Sequence[_Line]) -> None:
    """A section name set twice above the headline; the headline itself may be set twice too."""
    head: list[_Line] = []
    for line in lines:
        if line.is_sentence:
            break
        head.append(line)
    last = head[-1] if head else None
    for line, twin in itertools.pairwise(head):
        is_name = len(line.text.split()) <= 4 and line.text.replace(" ", "").isalpha()
        # With nothing more below it, it is the headline itself.
        if line.text == twin.text and is_name and last and last.text != line.text:
            line.is_furniture = twin.is_furniture = True


def _mark_tail(lines: Sequence[_Line]) -> None:
    """Below the last sentence, once furniture has begun, what ends no sentence goes with it."""
    tail: list[_Line] = []
    for line in reversed(lines):
        if line.is_sentence and not line.is_furniture:
            break
        tail.append(line)
    else:
        return  # no sentence at all: a list, of which each line may be what matters
    begun = False
    for line in reversed(tail):
        begun = begun or (line.is_furniture and not _PASSING.match(line.text))
        if begun and line.text and line.is_fragment:
            line.is_furniture = True


# --- inside a line --------------------------------------------------------------------------


def _glued(text: str, line: _Line) -> Iterator[Span]:
    """Furniture that a scraper has joined to a sentence: "... on Wednesday.Read more"."""
    for match in _GLUED_ADVERTISEMENT.finditer(text, line.start, line.end):
        yield Span(*match.span())
    first = max(line.start, line.end - _TAIL_CHARS)
    ends = [match.end() for match in _SENTENCE_END.finditer(text, first, line.end)]
    end = line.end
    for start in reversed(ends):
        segment = text[start:end]
        if segment.strip() and _FURNITURE.fullmatch(segment):
            yield Span(end - len(segment.lstrip()), end)
            end = start


_DOTTED = re.compile(r"\b(?:[A-Z]\.){2,}")


def searchable(text: str) -> str:
    """A text as it is embedded and searched: on one line, "U.K." written "UK"."""
    return _DOTTED.sub(lambda match: match.group().replace(".", ""), " ".join(text.split()))
