"""What the project says of itself, in several places, is one thing."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def stated(field: str) -> str:
    found = re.search(rf'^{field} = "([^"]+)"$', PROJECT, re.M)
    assert found, field
    return found[1]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["version"] == stated("version")
    assert citation["license"] == stated("license")
    entry = README.split("```bibtex\n")[1].split("```")[0]
    assert f"version = {{{stated('version')}}}" in entry
    (author,) = citation["authors"]
    assert f"author  = {{{{{author['name']}}}}}" in entry
    assert author["name"].removeprefix("The ") in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_badges_say_what_is_true() -> None:
    badges = README.split("\n**See,")[0]
    lowest = stated("requires-python").removeprefix(">=")
    assert f"python-{lowest}%20or%20newer" in badges
    assert f"licence-{stated('license')}-" in badges
    checks = (ROOT / ".ci/run").read_text(encoding="utf-8")
    checks += (ROOT / ".ci/checks").read_text(encoding="utf-8")
    for tool in ("ruff", "mypy"):
        assert f"-{tool}-" in badges
        assert tool in checks
    assert badges.count("img.shields.io") == 4


def test_every_file_that_the_readme_leads_to_is_there() -> None:
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert "assets/quickstart.ipynb" in linked
    for path in linked:
        assert (ROOT / path).exists(), path


def test_optional_libraries_are_those_of_the_extra() -> None:
    extra = PROJECT.split("\ntables = [")[1].split("]")[0]
    for name in ("pyarrow", "pandas", "polars"):
        assert f'"{name}>=' in extra
