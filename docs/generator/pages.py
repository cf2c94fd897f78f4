"""The pages, and what their regions may ask for.

    names MODULE         a section for whatever is public of a module or package
    contents DOOR        a list of what a door opens to
    keywords             a section for each set of keyword arguments
    requests WORD ...    a list of the requests whose path ends in these, ids aside
    bodies               a section for each form of data and answer that is no entity
    events               a list of the events
    event sections       a section for each event, and for each diff
    keys MODULE:STRUCT   a list of the keys of a struct as it travels
    codes server|client  a list of the codes that the server raises, or the client by itself
    tree                 the exceptions, drawn
    fixtures             a list of the fixtures of the pytest plugin
    settings             a list of the settings
    metrics              a list of the metrics
    options COMMAND      a list of the arguments of a command
    compatibility        the names of the official client, with ours

Names in code become links to the heading of that name on one of the pages.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path

import rtflow.errors
from docs.generator.codes import codes
from docs.generator.compatibility import compatibility
from docs.generator.keywords import keyword_sections
from docs.generator.markdown import anchor, linked
from docs.generator.metrics import metrics
from docs.generator.sections import contents_of_door, fixtures, sections
from docs.generator.settings import options, settings
from docs.generator.source import ROOT
from docs.generator.wire import body_sections, event_list, event_sections, keys, requests

__all__ = ["PAGES", "REGION", "rendered"]

PAGES = sorted((ROOT / "docs/reference").glob("*.md"))
REGION = re.compile(
    r"(?P<begin><!-- generated: (?P<what>[^>]+?) -->\n)"
    r"(?P<text>.*?)"
    r"(?P<end><!-- end of generated -->)",
    re.DOTALL,
)
ENTITY = r"(?:7\.\d+ )?"  # section 7 of the protocol has one for each
HEADING = re.compile(rf"#+ (?P<text>{ENTITY}(?P<name>[A-Z]\w*(?:\.\w+)?))")
PROTOCOL = re.compile(r"protocol\.md (\d+(?:\.\d+)*)")
SECTION = re.compile(r"#+ (?P<text>(?P<number>\d+(?:\.\d+)*)\.? .+)")


def _keys(what: str) -> str:
    module, _, name = what.partition(":")
    return keys(getattr(import_module(module), name))


def _tree(_: str) -> str:
    """Return the drawing in the docstring of the tree."""
    lines = (rtflow.errors.__doc__ or "").splitlines()
    return "\n".join(("```text", *(it[4:] for it in lines if it.startswith("    ")), "```"))


DIRECTIVES: dict[str, Callable[[str], str]] = {
    "event sections": lambda _: event_sections(),
    "names": sections,
    "contents": contents_of_door,
    "keywords": lambda _: keyword_sections(),
    "requests": lambda words: requests(words.split()),
    "bodies": lambda _: body_sections(),
    "events": lambda _: event_list(),
    "keys": _keys,
    "codes": codes,
    "tree": _tree,
    "fixtures": lambda _: fixtures(),
    "settings": lambda _: settings(),
    "metrics": lambda _: metrics(),
    "options": options,
    "compatibility": lambda _: compatibility(),
}


@cache
def written(what: str) -> str:
    """Write what a region asks for, without links."""
    for directive, write in DIRECTIVES.items():
        if what == directive or what.startswith(f"{directive} "):
            return write(what.removeprefix(directive).strip())
    raise ValueError(f"nothing is known of {what!r}")


def plain(page: Path) -> str:
    """Return a page with its regions as they are to be, without links in them."""
    return REGION.sub(
        lambda it: f"{it['begin']}\n{written(it['what'])}\n\n{it['end']}", page.read_text()
    )


def rendered(page: Path) -> str:
    """Return a page as it is to be."""
    return REGION.sub(
        lambda it: f"{it['begin']}{with_links(it['text'], page.name)}{it['end']}", plain(page)
    )


@cache
def homes() -> dict[str, list[tuple[str, str]]]:
    """Return where each name, and each section of the protocol, has its heading."""
    found = dict[str, list[tuple[str, str]]]()
    for page in PAGES:
        for line in plain(page).splitlines():
            if (heading := HEADING.fullmatch(line)) and page.name != "compatibility.md":
                found.setdefault(heading["name"], []).append((page.name, anchor(heading["text"])))
            if (heading := SECTION.fullmatch(line)) and page.name == "protocol.md":
                found[f"protocol {heading['number']}"] = [(page.name, anchor(heading["text"]))]
    return found


def with_links(text: str, page: str) -> str:
    """Make links of the names in a region, but not in code, nor to the section that it is in."""
    return "\n".join(_lines_with_links(text, page))


def _lines_with_links(text: str, page: str) -> Iterator[str]:
    here, is_code = "", False

    def address(name: str) -> str | None:
        return None if name == here else _address(name, page)

    for line in text.split("\n"):
        if line.startswith("```"):
            is_code = not is_code
        if line.startswith("#"):
            here = line.lstrip("# ")
        is_prose = not is_code and not line.startswith(("#", "    "))
        yield PROTOCOL.sub(partial(_to_protocol, page), linked(line, address)) if is_prose else line


def _to_protocol(page: str, mention: re.Match[str]) -> str:
    address = _address(f"protocol {mention[1]}", page)
    assert address is not None, f"protocol.md has no section {mention[1]}"
    return f"[protocol {mention[1]}]({address})"


def _address(name: str, page: str) -> str | None:
    """Return where a name leads to from a page; None: nowhere, or to several places.

    What has no heading of its own is told under that of what it belongs to.
    """
    while name not in homes() and "." in name:
        name = name.rpartition(".")[0]
    places = homes().get(name, [])
    nearest = [it for it in places if it[0] == page] or places
    if len(nearest) != 1:
        return None
    ((file, heading),) = nearest
    return f"#{heading}" if file == page else f"{file}#{heading}"
