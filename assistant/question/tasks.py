"""What a text asks the assistant to do: most ask about the articles, some only greet or ask for help.

Patterns must match all of a text: whatever has a topic of its own is a question, and doubt makes it
one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum

from assistant.question.foreign import is_in_another_script, languages

LONGEST = 120
"""Characters beyond which a text is no small talk, whatever it consists of."""


class Task(StrEnum):
    """What a text asks the assistant to do."""

    QUESTION = "question"
    GREETING = "greeting"
    THANKS = "thanks"
    FAREWELL = "farewell"
    HELP = "help"
    SOURCES = "sources"
    NEWS = "news"
    SUMMARY = "summary"
    FOREIGN = "foreign"
    NOTHING = "nothing"


def task_of(text: str) -> Task:
    """What `text` asks for; a QUESTION unless all of it is evidently something else."""
    if not any(c.isalnum() for c in text):
        return Task.NOTHING
    if len(text) <= LONGEST:
        for said in _readings(_folded(text)):
            for task, pattern in _TASKS:
                if pattern.fullmatch(said):
                    return task
    if is_in_another_script(text) or languages(text):
        return Task.FOREIGN
    return Task.QUESTION


_SPELLINGS = {
    wrong: right
    for right, wrongs in {
        "what is": "whats wats",
        "what": "wat wht",
        "who is": "whos",
        "how is": "hows",
        "where is": "wheres",
        "that is": "thats",
        "i am": "im",
        "i would": "id",
        "you are": "youre",
        "you": "u ya",
        "are": "r",
        "your": "ur",
        "please": "pls plz plese pleas",
        "the": "teh",
        "thanks": "thx thanx thnx tnx thks thnaks thansk ty tysm tyvm",
        "thank you": "thankyou thanku",
        "give me": "gimme",
        "let me": "lemme",
        "help": "hlep halp hepl",
        "latest": "lastest latets",
        "summarize": "summarise sumarize sumarise summerize summerise summarze summarice",
        "summary": "sumary summery sumarry",
        "overview": "overveiw",
        "tl dr": "tldr",
        "articles": "articels articals artciles aricles articls",
        "article": "articel artical",
        "documents": "docs documets",
        "goodbye": "goodby",
    }.items()
    for wrong in wrongs.split()
}


def _folded(text: str) -> str:
    text = re.sub(r"['’‘`´]", "", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_SPELLINGS.get(word, word) for word in re.findall(r"[^\W_]+", text))


def _any_of(*phrases: str) -> str:
    return f"(?:{'|'.join(phrases)})"


_NAMED = r"(?: (?:there|dateline|all|everyone|everybody|folks|team|again|you|friend|buddy|mate|bot|assistant|guys|ai|world|sir|madam|to you))*"

_HELLO = _any_of(
    r"hi+|he+l+o+|hallo|hey+|heya|hiya|howdy|yo|greetings|gday",
    r"good (?:morning|afternoon|evening|day)|morning|evening",
)

_HOW_ARE_YOU = _any_of(
    r"how are you(?: doing)?(?: today)?|how is it going|how do you do|what is up|sup",
    r"(?:nice|pleased) to meet you|(?:are )?you there|any(?:one|body) there",
)

_GREETING = rf"(?:{_HELLO}{_NAMED}(?: {_HELLO}{_NAMED})*(?: {_HOW_ARE_YOU}{_NAMED})?|{_HOW_ARE_YOU}{_NAMED})"

_PRAISE = _any_of(
    r"ok|okay|great|cool|nice|perfect|awesome|wonderful|excellent|good|lovely|amazing|wow|fantastic",
    r"alright|got it|i see|understood|well done|good job|nice one|(?:good|great) answer|makes sense|very (?:good|nice)",
)

_THANK = _any_of(
    r"thanks|thank you|many thanks|cheers|much appreciated|(?:i )?(?:really )?appreciate (?:it|that)",
    r"(?:that|this) (?:is|was) (?:(?:very|really|so) )?(?:helpful|useful|great|perfect|all i (?:needed|wanted))",
    r"very helpful|you are (?:great|awesome|amazing|the best)",
)

_SO_MUCH = (
    r"(?: (?:a (?:lot|bunch|million|ton)|so much|very much|kindly|again|indeed|dateline|man|mate|buddy|bot|all|there|anyway|in advance"
    r"|for (?:that|this|it|everything|the (?:help|answer|info|information)|(?:all )?your (?:help|time|answers?))))*"
)

_INTERJECTION = rf"(?:{_PRAISE}|k|oh|ah|yes|yeah|yep|no|well|super|brilliant|right|fine|sweet)"

_THANKING = rf"(?:{_INTERJECTION} )*{_THANK}{_SO_MUCH}(?: (?:{_PRAISE}|{_THANK}{_SO_MUCH}))*"

_TOOL = r"(?:tool|app|thing|bot|chatbot|assistant|website|page|chat)"

_TEXTS = r"(?:news )?(?:articles?|sources?|documents?|files?|texts?)"

_PAPERS = (
    rf"(?:{_TEXTS}|publishers?|newspapers|papers|outlets|stories|news stories|reports|publications)"
)

_ARCHIVE = (
    r"(?:the corpus|(?:your|this) (?:index|corpus|collection|library|database|archive|folder))"
)

_PLACE = rf"(?:there|here|in here|loaded|indexed|available|in {_ARCHIVE}|in the index)"

_USE = r"(?:have|got|hold|use|know|know about|read|cover|search|access|have access to|rely on|work (?:with|from)|draw on|answer from|quote(?: from)?|cite|have (?:indexed|loaded))"

_NEWSY = r"(?:news|headlines?|updates?|developments?|stories|story|articles?|reports?|events|information|info)"

_NEW = r"(?:latest|newest|most recent|recent|breaking|todays|current|new|top)"

_DIGEST = r"(?:summary|overview|recap|rundown|gist|synopsis|digest|briefing|tl dr)"

_SHORT = r"(?:short|brief|quick|general|broad|high level|concise|executive|overall|news)"

_ALL_OF_IT = rf"(?: (?:all|of|the|your|these|those|this|my|each|every|everything|whole|entire|it all|all of it|articles?|news|documents?|sources|files|texts|stories|corpus|collection|contents?|you have|briefly|quickly|in (?:brief|short|a few (?:words|sentences))|from|across|in {_ARCHIVE}))*"

_HELPS = _any_of(
    r"help(?: me)?(?: out)?|(?:i )?need (?:some |your |any )?help|commands",
    r"what (?:else )?(?:can|could|do) you (?:do|answer|know|offer|help(?: me)?(?: with)?)",
    r"what are you(?: able to do| capable of)?",
    r"(?:show me )?what (?:you|this|it) can do|what (?:else )?(?:can|could|should|may) i ask(?: you)?(?: about)?",
    rf"what can i do (?:with (?:you|this(?: {_TOOL})?)|here)",
    r"(?:what|which)(?: (?:kinds?|sorts?|types?) of)? (?:questions|things) (?:can|could|should|may|do) (?:i ask|you (?:answer|know|do))(?: you)?",
    rf"how (?:do|does|can|will|would) (?:you|dateline|this(?: {_TOOL})?) (?:work|function|operate|help(?: me)?)",
    rf"how (?:(?:do|can|should|could|would) (?:i|we)|to) (?:use|ask|query|talk to|get started with)(?: (?:you|dateline|(?:a )?questions?|this(?: {_TOOL})?))?",
    r"how (?:do|can|should) i (?:start|begin|get started)|where (?:do|should) i (?:start|begin)",
    rf"who (?:are you|you are|is dateline)|what (?:is (?:dateline|this(?: {_TOOL})?|your (?:name|purpose|job))|does (?:dateline|this(?: {_TOOL})?) do)",
    r"how (?:you work|this works|to use (?:this|you))|(?:more )?about (?:you|yourself|dateline)|(?:introduce|explain|describe) yourself",
    r"are you (?:an? )?(?:real )?(?:bot|robot|human|person|ai|machine|computer|chatbot|chatgpt|llm|program)",
    r"who (?:made|built|created|wrote|developed|trained) you",
)

_LISTS = _any_of(
    rf"(?:what|which|how many)(?: of the)? {_PAPERS} (?:do|can|did|would) you {_USE}(?: {_PLACE})?",
    rf"(?:what|which|how many) {_PAPERS} (?:have you (?:got|read|indexed|loaded)|are you (?:using|based on|reading)|you (?:have|know))(?: {_PLACE})?",
    rf"(?:what|which|how many) {_TEXTS} (?:are|is)(?: there)?(?: currently)? {_PLACE}",
    rf"(?:what|which) (?:are|is) (?:your|all your|all the|the (?=\w+s\b)) ?{_TEXTS}",
    rf"(?:list|show|display|print|name|give|see|view|browse)(?: me| us)?(?: (?:all|a|list|full list|of|the|your|these|available|indexed|loaded))* (?:{_TEXTS}|stories|publishers)(?: (?:that )?(?:you (?:have|know|use)|are {_PLACE}|{_PLACE}|and their dates|with (?:their )?dates))*",
    r"(?:(?:(?:a|the|your|full|complete) )*list of )?(?:(?:all|any|the|your|my|some) )*(?:articles|sources|documents)(?: list)?|(?:article|source|document) list",
    rf"what is (?:indexed|loaded|in {_ARCHIVE}|in the index)|how (?:big|large) is {_ARCHIVE}",
    rf"(?:show|list|describe)(?: me)? {_ARCHIVE}",
    r"where (?:do|did) you (?:get|take|find) (?:your|the|all this) (?:information|info|answers|data|news|facts|articles)(?: from)?",
    r"where (?:do|does) your (?:information|info|answers|data|news|facts) come from|what are (?:you|your answers) based on|what do you base your answers on",
)

_NEWS = _any_of(
    rf"what is (?:new|news|happening|going on|in the news|the news|(?:the |your )?(?:latest|newest|most recent|last)(?: {_NEWSY})?)",
    rf"what are (?:the|your) {_NEW} {_NEWSY}|what are the (?:news|headlines|updates)",
    r"(?:any|some) (?:(?:new|latest|recent|fresh) )?(?:news|updates?|headlines|developments)|anything new",
    rf"(?:any|some) (?:new|recent|newer) {_NEWSY}",
    rf"(?:(?:show|give|tell|read|list)(?: me| us)? )?(?:(?:the|all|some|any|your|very) )*{_NEW} {_NEWSY}(?: of the day)?",
    r"(?:(?:show|give|tell|read|list)(?: me| us)? )?(?:the )?(?:latest|newest|news|headlines|updates)|update(?: me)?|news of the day",
    r"(?:what|which) (?:article|source|document|story) is (?:the )?(?:latest|newest|most recent)|which is the (?:latest|newest|most recent) (?:article|source|document|story)",
    r"how (?:recent|current|fresh|new|old|up to date) (?:are|is) (?:the|your|these) (?:articles|news|data|sources|information|documents|index|corpus)",
    r"when (?:was|is|were) (?:the|your) (?:latest|newest|last|most recent) (?:articles?|story|source|document)(?: (?:published|written|from|dated))?",
    r"catch me up|bring me up to (?:date|speed)|what (?:did i miss|have i missed)",
)

_SUMMARY = _any_of(
    rf"(?:summarize|sum up|sum it all up|recap|brief me(?: on)?|{_DIGEST}){_ALL_OF_IT}",
    rf"(?:(?:give|show|write|make|provide|get|do)(?: me| us)? )?(?:(?:a|an|the|your|some) )?(?:{_SHORT} )*{_DIGEST}{_ALL_OF_IT}",
    r"what (?:is|are) (?:(?:all )?(?:this|these)|everything|(?:all )?(?:the|your|these) (?:articles|news|documents|stories|sources|texts|files)|(?:the|this) (?:article|news|corpus|collection))(?: all)? about",
    r"what do (?:the|your|these|all the) (?:articles|sources|documents|stories|texts|files) (?:say|report|tell(?: me| us)?|cover|contain|discuss|talk about)",
    r"what is in (?:the|your|these) (?:articles|documents|sources|files)",
    rf"(?:(?:what are|list|give me|show me) )?(?:the |your )?(?:main|key|most important|major) (?:points|topics|themes|takeaways|stories)(?: in)?{_ALL_OF_IT}",
    r"(?:what|which) (?:topics|subjects|themes) (?:(?:do|can) (?:you|the articles) (?:cover|have|know(?: about)?|discuss)|are (?:there|covered))|(?:what are )?(?:the )?topics",
)

_TASKS = tuple(
    (task, re.compile(pattern))
    for task, pattern in (
        (
            Task.FAREWELL,
            r"(?:good ?bye|bye+)(?: (?:bye|now|for now|then|all))*|good ?night|farewell|see (?:you|ya)(?: (?:later|soon|tomorrow|around|then))*"
            r"|cya|later|so long|take care|have a (?:nice|good|great|lovely) (?:day|evening|night|weekend|one)|until next time|ttyl"
            r"|that is all(?: for (?:now|today))?|i am done|exit|quit",
        ),
        (Task.THANKS, rf"{_THANKING}|{_PRAISE}(?: {_PRAISE})*"),
        (Task.GREETING, _GREETING),
        (Task.HELP, _HELPS),
        (Task.SOURCES, _LISTS),
        (Task.NEWS, _NEWS),
        (Task.SUMMARY, _SUMMARY),
    )
)

_BEFORE = re.compile(
    rf"(?:(?:{_HELLO}{_NAMED}|{_THANKING}|ok|okay|so|well|now|oh|please|kindly|just|dateline|sorry|excuse me|actually"
    r"|(?:can|could|would|will) you|(?:can|could|may) (?:i|we)(?: please)? (?:have|get|see|ask(?: you)?)"
    r"|i (?:would like|would love|want|need)(?: you)?(?: to(?: (?:know|see|get|have|hear))?)?|let me (?:see|have|know)|tell (?:me|us)"
    r"|do you (?:have|know)|have you(?: got)?|you (?:got|have)|(?:is|are) there) )+"
)

_AFTER = re.compile(
    r" (?:please|now|then|dateline|thanks|thank you|again|here|right now|today|at the moment|currently|actually|bot|buddy|mate|sir"
    r"|for me|to me|lately|recently|these days|so far|exactly)$"
)


def _readings(said: str) -> Iterator[str]:
    """`said`, and without the courtesies before it, and behind it one by one."""
    while True:
        yield said
        if before := _BEFORE.match(said):
            yield said[before.end() :]
        ended = _AFTER.sub("", said)
        if ended == said:
            return
        said = ended
