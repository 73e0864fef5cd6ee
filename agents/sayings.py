"""What people may mean by free words to a search, and which words speak for each of it.

An intent is a command with the parts that it needs. Its cues are beginnings of words:
where none of them stands in a sentence, the intent is not what somebody says.
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
BEFORE, AFTER = 3, 4  # words that a negation reaches over
_NEGATION = re.compile(NEGATIONS, re.IGNORECASE)
_PART = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that people may mean.

    ``means`` and ``says``: what a model is told of it, and an example. ``form``: its
    command, with the parts it needs in braces. ``cues``: beginnings of words that speak
    for it unless they are negated, '' where its parts do. ``negated``: those that speak
    for it where they are negated.
    """

    means: str
    says: str
    form: str
    cues: str = ""
    negated: str = ""
    order: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """The parts of its form."""
        return frozenset(_PART.findall(self.form))

    def is_spoken_of(self, words: str) -> bool:
        """Whether something in the words speaks for it."""
        if not self.cues:
            return True
        cue = re.compile(rf"\b(?:{self.cues})", re.IGNORECASE)
        if any(not _NEGATION.search(_last(words[: hit.start()])) for hit in cue.finditer(words)):
            return True
        if not self.negated:
            return False
        negated = re.compile(rf"\b(?:{self.negated})", re.IGNORECASE)
        reach = [_first(words[hit.end() :]) for hit in _NEGATION.finditer(words)]
        return any(negated.search(after) and not cue.search(after) for after in reach)


def _last(words: str) -> str:
    return " ".join(re.split(r"[.,;:!?]", words)[-1].split()[-BEFORE:])


def _first(words: str) -> str:
    return " ".join(re.split(r"[.,;:!?](?!\d)", words)[0].split()[:AFTER])


INTENTS: dict[str, Intent] = {
    "status": Intent(
        "how far the search is",
        "how far is it?",
        "/status",
        r"status|progress|how far|how long|how many|going|running|stand|state\b|remain|left\b|updat"
        r"|(?:which|what) round|ready|is it (?:done|finished|over)|busy|doing",
    ),
    "front": Intent(
        "the best networks so far",
        "what have you found?",
        "/front",
        r"front|pareto|best|top\b|result|found|find|winn|fastest|candidate|so far|outcome"
        r"|network|architecture",
    ),
    "why": Intent(
        "why a network is on the front, or why not",
        "why is r1n0c2 not on the front?",
        "/why {name}",
        r"why|explain|expla|reason|tell|about|how come|reject|dominat|speaks|made? it|story",
    ),
    "compare": Intent(
        "compare two networks", "is r1n0c2 better than r0n1c1?", "/compare {name} {other}"
    ),
    "nearest": Intent(
        "the nearest points of the front",
        "what is close to r1n0c2?",
        "/nearest {name}",
        r"near|clos|similar|neighbo|resembl|alike|like\b|around|akin|next to",
    ),
    "score": Intent(
        "the score of a network, tried or not",
        "how good would r1n0c2 be?",
        "/score {name}",
        r"scor|accura|how (?:good|well)|perform|quality|rat(?:e|ing)\b|predict|err",
    ),
    "latency": Intent(
        "the latency of a network, tried or not",
        "how fast would r1n0c2 be?",
        "/latency {name}",
        r"latenc|fast|slow|quick|speed|how long|time|ms\b|millisecond|take",
    ),
    "within": Intent(
        "what a latency budget would cost in accuracy",
        "what would a 3 ms budget cost in accuracy?",
        "/within {ms}",
        r"cost|los[et]|price|budget|what|if\b|suppos|imagin|best|give up|how (?:good|much|accura)"
        r"|sacrific|afford|accura|get\b",
    ),
    "niche": Intent(
        "what was tried in a niche", "what did the designer of niche 1 try?", "/niche {niche}"
    ),
    "rules": Intent(
        "which design rules hold",
        "what have you learned?",
        "/rules",
        r"rule|learn|lesson|pattern|insight|principle|knowledge|discover|makes|hypothes|claim",
    ),
    "directives": Intent(
        "what the orders so far changed",
        "what did my ban do?",
        "/directives",
        r"directive|orders?\b|ask(?:ed)?\b|request|instruct|steer|command"
        r"|(?:my|our|the) (?:ban|limit|focus)"
        r"|banned|effect|constraint|wish|d[1-9][0-9]*\b",
    ),
    "ban": Intent(
        "no more networks with an operation",
        "do not use pooling any more",
        "/ban {operation}",
        r"ban|forbid|exclu|avoid|stop|drop|rid\b|remov|leav\w+ (?:\w+ )?out|omit|eliminat|prohibit"
        r"|disallow|quit|skip\b(?! conn)|out with|away|hate|dislike|throw|kill",
        negated=r"\w",
        order=True,
    ),
    "require": Intent(
        "only networks with an operation",
        "every network must have a skip connection",
        "/require {operation}",
        r"requir|must|always|every|each|all\b|need|insist|contain|includ|only|ha(?:s|ve) to|at least"
        r"|sure|mandat|oblig|demand|should",
        order=True,
    ),
    "limit": Intent(
        "only networks of at most so many ms",
        "nothing slower than 3 ms",
        "/limit latency<={ms}",
        r"limit|at most|max|under|below|less|cap\b|within|up to|or (?:faster|less|below)"
        r"|faster than|quicker than|bound|upper|restrict|keep",
        negated=r"abov|exceed|over|longer|slower|beyond|more|higher|greater|larger",
        order=True,
    ),
    "focus": Intent(
        "spend most designs below so many ms",
        "concentrate on networks below 3 ms",
        "/focus latency<={ms}",
        r"focus|concentrat|spend|effort|explor|(?<!at )most(?:ly)?\b|mainly|especial|prefer|look|attention"
        r"|emphas|priorit|primar|search",
        order=True,
    ),
    "rounds": Intent(
        "end after so many rounds", "make it 8 rounds", "/rounds {rounds}", order=True
    ),
    "pause": Intent(
        "pause the search",
        "wait a moment",
        "/pause",
        r"paus|wait|halt|hold|break|interrupt|freez|suspend|moment|rest\b|sleep|stand by",
        order=True,
    ),
    "resume": Intent(
        "go on after a pause",
        "continue, please",
        "/resume",
        r"resum|continu|go on|go ahead|carry on|proceed|keep going|unpaus|restart|start again"
        r"|move on|get going|back to work",
        order=True,
    ),
    "stop": Intent(
        "finish the round and end",
        "that is enough, finish",
        "/stop",
        r"stop|end\b|finish|quit|terminat|abort|enough|wrap|conclud|that(?:'s| is) (?:it|all)|done",
        order=True,
    ),
    "undo": Intent(
        "take back a directive",
        "forget d2",
        "/undo {directive}",
        r"undo|forget|take|revert|cancel|withdraw|remov|drop|mistake|lift|repeal|retract|revok|mind"
        r"|annul|rid\b|scrap|delet",
        order=True,
    ),
}
