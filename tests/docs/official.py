"""The names that the official client declares, read from its declarations: names, nothing else."""

import re
from collections.abc import Iterator

__all__ = ["names_in"]

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DECLARATION = re.compile(
    r"^export declare (?:interface|type|function) (?P<name>\w+)(?P<body>.*?)^(?=export)",
    re.DOTALL | re.MULTILINE,
)
MEMBER = re.compile(r"^    (?:readonly )?(?P<name>\w+)\??[:(]", re.MULTILINE)


def names_in(declarations: str) -> Iterator[str]:
    """Yield each declaration, and each member of it as `Declaration.member`; overloads are one."""
    for declared in DECLARATION.finditer(COMMENT.sub("", declarations)):
        name = declared["name"]
        yield name
        if declared["body"].lstrip().startswith(("{", "= {")):
            members = MEMBER.finditer(declared["body"])
            yield from dict.fromkeys(f"{name}.{member['name']}" for member in members)
