"""What must be true of a chapter as a text: its anatomy, its proofs, its links, and the numbers in its prose.

Like `book_lint`: each rule is a function from a notebook to sentences about what is wrong, and each is tested on a
chapter that was spoilt for it, in `test_chapter_lint.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from book_lint import Notebook, text_of

HEADINGS = ("Before you read on|Warm-up",)
LATER_HEADINGS = ("In the console", "Measure", "What it costs", "Exercises", "In the real Redis", "Before you go")
PARTS = {
    "the claim, in the card": r"^> \*\*The claim\.\*\*",
    "what you can do afterwards, in the card": r"^\| \*\*After this chapter you can\*\* \|",
    "how long it takes, in the card": r"^\| \*\*Time\*\* \| \d+ minutes \|",
    "what it needs, in the card": r"^\| \*\*You need\*\* \|",
    "what you will break, in the card": r"^\| \*\*You will break\*\* \|",
    "what is honest and what is simple": r"^\*\*Where this model is honest, and where it is simple\.\*\*",
    "a note on the article": r"^\*\*A note on the article that this book grew from",
    "explain it to a colleague": r"^\*\*Explain it to a colleague\*\*",
    "a model answer": r"<summary>A model answer</summary>",
    "the words of the chapter": r"^\*\*Words\.\*\*",
    "what comes next": r"^\*\*Next\*\*:",
}
LOOPS, FRAMES, EXERCISES, CHECKS = 3, 5, 4, 3
OBJECTIVES = 4

NUMBER_WORDS = {
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "eighty": 80,
    "hundred": 100,
    "thousand": 1000,
}
"""Smaller ones are ordinary English."""
DIGITS = re.compile(r"(?<![\w.])\d[\d,_]*(?:\.\d+)?")
NOT_PROSE = (
    re.compile(r"(?s)```.*?```"),
    re.compile(r"`[^`]*`"),
    re.compile(r"(?s)<code>.*?</code>"),
    re.compile(r"\]\([^)]*\)|<[^>]+>"),
    re.compile(r"(?m)^#+ .*$"),  # headings
    re.compile(r"(?m)^\d+\. |^\*\*\d\.\d · "),  # the numbers of a list, and of exercises
    re.compile(r"(?m)^\| \d \|"),  # and of the claims
    re.compile(r"\[\d\d ·|\[\d(?:\.\d)?(?=\])"),  # links to chapters and sections
    re.compile(r"\b(?:19|20)\d\d\b"),
    re.compile(
        r"(?i)\b(?:sections?|chapters?|exercises?|claims?|versions?|since|before|redis|redis-server)"
        r"\s+\d[\d.]*(?:(?:,| to| and|, and)\s+\d[\d.]*)*"
    ),
    re.compile(r"\b[1-8]\.\d\b(?! (?:s|ms|seconds|GB)\b)"),  # a section
)


@dataclass
class Section:
    """A part of a chapter, from one heading of the second level to the next."""

    title: str
    cells: list[Notebook] = field(default_factory=list)

    @property
    def prose(self) -> str:
        return "\n\n".join(text_of(cell["source"]) for cell in self.cells if cell["cell_type"] == "markdown")

    @property
    def shown(self) -> str:
        """What its cells say and print."""
        texts = []
        for cell in self.cells:
            if cell["cell_type"] == "code":
                texts.append(text_of(cell["source"]))
                for output in cell["outputs"]:
                    texts.append(text_of(output.get("text", "")))
                    texts.append(text_of(output.get("data", {}).get("text/plain", "")))
        return "\n".join(texts)


def sections(chapter: Notebook) -> list[Section]:
    """The sections, in order; the first is the card, before any heading."""
    found = [Section("")]
    for cell in chapter["cells"]:
        if cell["cell_type"] == "markdown" and (heading := re.match(r"## ([^<\n]+)", text_of(cell["source"]))):
            found.append(Section(heading[1].strip()))
        found[-1].cells.append(cell)
    return found


def source_of(chapter: Notebook, kind: str) -> str:
    return "\n\n".join(text_of(cell["source"]) for cell in chapter["cells"] if cell["cell_type"] == kind)


# -- the anatomy -------------------------------------------------------------------------------------------------------


def its_parts(chapter: Notebook) -> Iterator[str]:
    prose = source_of(chapter, "markdown")
    titles = [re.sub(r"^\d+ · ", "", section.title) for section in sections(chapter)]
    for wanted in (*HEADINGS, *LATER_HEADINGS, "Summary"):
        if not any(re.match(wanted, title) for title in titles):
            yield f"no section is called {wanted!r}"
    numbers = [int(found[1]) for section in sections(chapter) if (found := re.match(r"(\d+) · ", section.title))]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"the sections are numbered {numbers}"
    for part, pattern in PARTS.items():
        if not re.search(pattern, prose, re.M):
            yield f"the chapter lacks {part}"
    if (frames := len(re.findall(r"(?m)^\*\*In words:\*\*", prose))) < FRAMES:
        yield f"only {frames} pictures are followed by 'In words:', fewer than {FRAMES}"


def its_loops(chapter: Notebook) -> Iterator[str]:
    """Each prediction is observed, after it; and what each option means is explained after that."""
    code = source_of(chapter, "code")
    asked = re.findall(r'(?m)^\s*predict\("([^"]+)"', code)
    if len(asked) < LOOPS:
        yield f"only {len(asked)} predictions, fewer than {LOOPS}"
    for name in asked:
        if code.find(f'observe("{name}"') < code.find(f'predict("{name}"'):
            yield f"what was predicted as {name!r} is not observed afterwards"
    for section in sections(chapter):
        if "predict(" in section.shown and not re.search(r"\*\*Explain\.\*\*", section.prose):
            yield f"section {section.title!r} predicts and does not explain"


def its_exercises(chapter: Notebook) -> Iterator[str]:
    for section in sections(chapter):
        if not section.title.endswith("Exercises"):
            continue
        if (found := len(re.findall(r"(?m)^\*\*\d\.\d · ", section.prose))) < EXERCISES:
            yield f"only {found} exercises, fewer than {EXERCISES}"
        if (checks := len(re.findall(r"(?m)^check\(", section.shown))) < CHECKS:
            yield f"only {checks} exercises are checked, fewer than {CHECKS}"
        for what in ("Hint 1", "Hint 2", "Solution"):
            if (found := section.prose.count(f"<summary>{what}</summary>")) < CHECKS:
                yield f"only {found} times {what!r} for {CHECKS} exercises"


# -- the claims of the summary -----------------------------------------------------------------------------------------


def anchors(text: str) -> list[str]:
    """The anchors in a text, which stand behind headings.

    They are written out: those that JupyterLab makes of a heading are not found if it has a character beyond ASCII."""
    return re.findall(r'<a id="([^"]+)"></a>', text)


def claims(chapter: Notebook) -> list[tuple[int, str, list[str]]]:
    """(number, claim, anchors of the sections that are said to prove it) of each row of the summary."""
    summary = next((section.prose for section in sections(chapter) if section.title.endswith("Summary")), "")
    rows = re.findall(r"(?m)^\| (\d+) \| (.+?) \| (.+?) \|$", summary)
    return [(int(number), claim, re.findall(r"\]\(#([^)]+)\)", where)) for number, claim, where in rows]


def proofs(chapter: Notebook) -> list[tuple[int, list[str]]]:
    """(number of the claim, anchors of the headings above) of every cell that asserts something marked `# claim n`."""
    path: dict[int, list[str]] = {}  # the anchors of the headings above, by their level
    found = []
    for cell in chapter["cells"]:
        source = text_of(cell["source"])
        if cell["cell_type"] == "markdown":
            for level, heading in re.findall(r"(?m)^(#+) (.+)$", source):
                path = {depth: title for depth, title in path.items() if depth < len(level)}
                path[len(level)] = anchors(heading)
        elif re.search(r"(?m)^\s*assert\b", source):
            above = [anchor for heading in path.values() for anchor in heading]
            found += [(int(number), above) for number in re.findall(r"# claim (\d+)", source)]
    return found


def claims_are_proven(chapter: Notebook) -> Iterator[str]:
    """Every claim of the summary names the sections that prove it, and each claim has a cell there that asserts it."""
    stated, proven = claims(chapter), proofs(chapter)
    if [number for number, _, _ in stated] != list(range(1, len(stated) + 1)) or not stated:
        yield f"the claims of the summary are numbered {[number for number, _, _ in stated]}"
    card = re.search(r"\*\*After this chapter you can\*\* \| (.+?) \|", source_of(chapter, "markdown"))
    objectives = len(card[1].split(";")) if card else 0
    if objectives != len(stated) or objectives > OBJECTIVES:
        yield f"{objectives} objectives in the card, {len(stated)} claims in the summary, at most {OBJECTIVES} of each"
    for number, claim, where in stated:
        if not any(number == proof and set(path) & set(where) for proof, path in proven):
            yield f"claim {number} ({claim[:40]}) has no assert marked `# claim {number}` in a section that it names"
    for number in sorted({number for number, _ in proven} - {number for number, _, _ in stated}):
        yield f"a cell proves claim {number}, which the summary does not make"


def links_lead_somewhere(chapter: Notebook) -> Iterator[str]:
    there = anchors(source_of(chapter, "markdown"))
    for target in re.findall(r"\]\(#([^)]+)\)", source_of(chapter, "markdown")):
        if target not in there:
            yield f"no heading has the anchor #{target}"


# -- the numbers -------------------------------------------------------------------------------------------------------


def prose_of(text: str) -> str:
    """The text without what is no prose: code, links, the numbers of sections, chapters and versions."""
    for pattern in NOT_PROSE:
        text = pattern.sub(" ", text)
    return text


def value_of(digits: str) -> float:
    return round(float(digits.replace(",", "").replace("_", "")), 6)


def values_in(shown: str) -> set[float]:
    """The numbers of cells and outputs, each also in the next larger and smaller unit."""
    values = {value_of(found) for found in re.findall(r"\d[\d,_]*(?:\.\d+)?", shown)}
    return {round(value * factor, 6) for value in values for factor in (1, 1000, 0.001)}


def numbers_are_shown(chapter: Notebook) -> Iterator[str]:
    """A number in the prose stands in a cell, or in what it printed, of this section or an earlier one.

    Numbers in words are looked for in the whole chapter.  What real systems do has sources instead."""
    everywhere = values_in("\n".join(section.shown for section in sections(chapter)))
    shown: set[float] = set()
    for section in sections(chapter):
        shown |= values_in(section.shown)
        if not section.title or "In the real Redis" in section.title:
            continue
        prose = prose_of(section.prose)
        for found in DIGITS.finditer(prose):
            if value_of(found[0]) not in shown:
                yield f"section {section.title!r}: {around(prose, found)!r} is shown by no cell before it"
        for found in re.finditer(rf"(?i)\b({'|'.join(NUMBER_WORDS)})\b", prose):
            if NUMBER_WORDS[found[0].lower()] not in everywhere:
                yield f"section {section.title!r}: {around(prose, found)!r} is shown by no cell"


def around(text: str, found: re.Match[str]) -> str:
    """A few words on both sides."""
    return " ".join(text[max(0, found.start() - 20) : found.end() + 15].split())


RULES: tuple[Callable[[Notebook], Iterator[str]], ...] = (
    its_parts,
    its_loops,
    its_exercises,
    claims_are_proven,
    links_lead_somewhere,
    numbers_are_shown,
)


def problems(chapter: Notebook) -> list[str]:
    """Everything that is wrong with a chapter as a text."""
    return [problem for rule in RULES for problem in rule(chapter)]
