"""What people may mean by a sentence to a search, and which words speak for each of it.

An intent is a command with the parts that it needs. Its cues are beginnings of words:
where none of them stands in a sentence but another's do, it is not what somebody says.
"""

import re
from dataclasses import dataclass

NEGATIONS = r"\b(?:no|not|never|without|cannot|nothing|nobody)\b|n't\b"
#: Sentences that begin so want to know something and change nothing.
ASKING = re.compile(
    r"\W*(?:and |but |so |ok |please )*(?:why|what|which|who|whose|when|where|how|is|are|was|were|"
    r"did|does|do (?:we|you|they)|has|have|had|tell|show|list|explain|describe|compare)\b",
    re.IGNORECASE,
)
NAME = re.compile(r"r[0-9]+n[0-9]+c[0-9]+|\|\S+\|")  # of a network: an id, or its text
BEFORE, AFTER = 3, 4  # words that a negation reaches over
_NEGATION = re.compile(NEGATIONS, re.IGNORECASE)
_PART = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that people may mean.

    ``means``, ``says``, ``word``: its description for a model, what people say that mean
    it, and the one word that stands for it, '' for its name. ``form``: its
    command, with the parts it needs in braces. ``cues``: beginnings of words that speak
    for it unless they are negated, '' where its parts do. ``negated``: those that speak
    for it where they are negated.
    """

    means: str
    says: tuple[str, ...]
    form: str
    cues: str = ""
    negated: str = ""
    order: bool = False
    word: str = ""

    @property
    def needs(self) -> frozenset[str]:
        """The parts of its form."""
        return frozenset(_PART.findall(self.form))

    def is_spoken_of(self, words: str) -> bool:
        """Whether something in the words speaks for it."""
        if not self.cues:
            return True
        cue = self._cue()
        if any(not _NEGATION.search(_last(words[: hit.start()])) for hit in cue.finditer(words)):
            return True
        if not self.negated:
            return False
        negated = re.compile(rf"\b(?:{self.negated})", re.IGNORECASE)
        reach = [_first(words[hit.end() :]) for hit in _NEGATION.finditer(words)]
        return any(negated.search(after) and not cue.search(after) for after in reach)

    def is_mentioned(self, words: str) -> bool:
        """Whether something in the words speaks for it or, negated, against it."""
        return not self.cues or self._cue().search(words) is not None

    def _cue(self) -> re.Pattern[str]:
        return re.compile(rf"\b(?:{self.cues})", re.IGNORECASE)


def _last(words: str) -> str:
    return " ".join(re.split(r"[.,;:!?]", words)[-1].split()[-BEFORE:])


def _first(words: str) -> str:
    return " ".join(re.split(r"[.,;:!?](?!\d)", words)[0].split()[:AFTER])


WORDS = "WORDS"  # in a form: all that the person said
#: What a model may find where no cue says what is meant.
NOTHING = Intent(
    "none of these", ("what time is it?", "sing a song", "make it bigger"), "", word="none"
)

INTENTS: dict[str, Intent] = {
    "status": Intent(
        "how far the search is",
        ("how far is it?", "is it still running?", "how many rounds are over?"),
        "/status",
        r"status|progress|how far|how long|how many|going|running|stand|state\b|remain|left\b|updat"
        r"|(?:which|what) round|ready|is it (?:done|finished|over)|busy|doing",
    ),
    "front": Intent(
        "the best networks so far",
        ("what have you found?", "show me the best networks", "which networks win?"),
        "/front",
        r"front|pareto|best|top\b|result|found|find|winn|fastest|candidate|so far|outcome"
        r"|network|architecture",
        word="best",
    ),
    "why": Intent(
        "why a network is on the front, or why not",
        ("why is r1n0c2 not on the front?", "explain r1n0c2", "what speaks for r1n0c2?"),
        "/why {name}",
        r"why|explain|expla|reason|tell|about|how come|reject|dominat|speaks|made? it|story",
    ),
    "compare": Intent(
        "compare two networks",
        ("is r1n0c2 better than r0n1c1?", "compare r1n0c2 and r0n1c1", "r1n0c2 or r0n1c1?"),
        "/compare {name} {other}",
    ),
    "nearest": Intent(
        "the nearest points of the front",
        ("what is close to r1n0c2?", "find networks like r1n0c2", "which neighbours has r1n0c2?"),
        "/nearest {name}",
        r"near|clos|similar|neighbo|resembl|alike|like\b|around|akin|next to",
        word="near",
    ),
    "score": Intent(
        "the score of a network, tried or not",
        ("how good would r1n0c2 be?", "what accuracy has r1n0c2?", "rate r1n0c2"),
        "/score {name}",
        r"scor|accura|how (?:good|well)|perform|quality|rat(?:e|ing)\b|predict|err",
        word="quality",
    ),
    "latency": Intent(
        "the latency of a network, tried or not",
        (
            "how fast would r1n0c2 be?",
            "what is the latency of r1n0c2?",
            "how long does r1n0c2 take?",
        ),
        "/latency {name}",
        r"latenc|fast|slow|quick|speed|how long|time|ms\b|millisecond|take",
        word="speed",
    ),
    "within": Intent(
        "what a latency budget would cost in accuracy",
        (
            "what would a 3 ms budget cost in accuracy?",
            "what could we get for 3 ms?",
            "suppose I have only 3 ms",
        ),
        "/within {ms}",
        r"cost|los[et]|price|budget|what|if\b|suppos|imagin|best|give up|how (?:good|much|accura)"
        r"|sacrific|afford|accura|get\b",
        word="budget",
    ),
    "niche": Intent(
        "what was tried in a niche",
        ("what did the designer of niche 1 try?", "tell me about niche 1", "niche 1, please"),
        "/niche {niche}",
    ),
    "rules": Intent(
        "which design rules hold",
        ("what have you learned?", "which rules hold?", "what makes a network good?"),
        "/rules",
        r"rule|learn|lesson|pattern|insight|principle|knowledge|discover|makes|hypothes|claim",
    ),
    "knowledge": Intent(
        "what earlier runs learned about something",
        (
            "what do we know about pooling on phones?",
            "what is known about skip connections?",
            "what did earlier runs learn about 1x1?",
        ),
        f"/knowledge {WORDS}",
        r"(?:do|did) we know|is known|are known|know about|(?:earlier|other|past|previous|all)"
        r" (?:runs|searches)",
    ),
    "directives": Intent(
        "what the orders so far changed",
        ("what did my ban do?", "which orders were given?", "what came of my request?"),
        "/directives",
        r"directive|orders?\b|ask(?:ed)?\b|request|instruct|steer|command"
        r"|(?:my|our|the) (?:ban|limit|focus)"
        r"|banned|effect|constraint|wish|d[1-9][0-9]*\b",
        word="orders",
    ),
    "ban": Intent(
        "no more networks with an operation",
        ("do not use pooling any more", "never use pooling", "remove pooling"),
        "/ban {operation}",
        r"ban|forbid|exclu|avoid|stop|drop|rid\b|remov|leav\w+ (?:\w+ )?out|omit|eliminat|prohibit"
        r"|disallow|quit|skip\b(?! conn)|out with|away|hate|dislike|throw|kill",
        negated=r"\w",
        order=True,
    ),
    "require": Intent(
        "only networks with an operation",
        (
            "every network must have pooling",
            "keep pooling in all networks",
            "only networks with pooling",
        ),
        "/require {operation}",
        r"requir|must|always|every|each|all\b|need|insist|contain|includ|only|ha(?:s|ve) to|at least"
        r"|sure|mandat|oblig|demand|should",
        order=True,
    ),
    "limit": Intent(
        "only networks of at most so many ms",
        ("nothing slower than 3 ms", "3 ms is the maximum", "stay below 3 ms"),
        "/limit latency<={ms}",
        r"limit|at most|max|under|below|less|cap\b|within|up to|or (?:faster|less|below)"
        r"|faster than|quicker than|bound|upper|restrict|keep",
        negated=r"abov|exceed|over|longer|slower|beyond|more|higher|greater|larger",
        order=True,
    ),
    "focus": Intent(
        "spend most designs below so many ms",
        (
            "concentrate on networks below 3 ms",
            "search mostly below 3 ms",
            "spend more designs below 3 ms",
        ),
        "/focus latency<={ms}",
        r"focus|concentrat|spend|effort|explor|(?<!at )most(?:ly)?\b|mainly|especial|prefer|look|attention"
        r"|emphas|priorit|primar|search",
        order=True,
    ),
    "rounds": Intent(
        "end after so many rounds",
        ("make it 8 rounds", "end after 8 rounds", "8 rounds in all"),
        "/rounds {rounds}",
        order=True,
    ),
    "pause": Intent(
        "pause the search",
        ("wait a moment", "take a break", "interrupt the search for now"),
        "/pause",
        r"paus|wait|halt|hold|break|interrupt|freez|suspend|moment|rest\b|sleep|stand by",
        order=True,
    ),
    "resume": Intent(
        "go on after a pause",
        ("continue, please", "go on", "proceed with the search"),
        "/resume",
        r"resum|continu|go on|go ahead|carry on|proceed|keep going|unpaus|restart|start again"
        r"|move on|get going|back to work",
        order=True,
    ),
    "stop": Intent(
        "finish the round and end",
        ("that is enough, finish", "end it", "quit after this round"),
        "/stop",
        r"stop|end\b|finish|quit|terminat|abort|enough|wrap|conclud|that(?:'s| is) (?:it|all)|done",
        order=True,
    ),
    "undo": Intent(
        "take back a directive",
        ("forget d2", "revoke d2", "d2 was wrong, cancel it"),
        "/undo {directive}",
        r"undo|forget|take|revert|cancel|withdraw|remov|drop|mistake|lift|repeal|retract|revok|mind"
        r"|annul|rid\b|scrap|delet",
        order=True,
    ),
}
