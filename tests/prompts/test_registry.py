"""One list of formats: whatever is in it can be recognised, asked for and read."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import call
from published import COUNTERFACT, ENTITY, KNOWN, OWN, RELATION, save

from mlxjsd.errors import InputError
from mlxjsd.prompts import formats
from mlxjsd.prompts.formats import FORMATS, Container, Format, Row
from mlxjsd.prompts.formats.fields import Values, text
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.prompts.read import read_prompts

SKETCH = {"sentence": "The capital of Norland is", "entity": "Norland", "subject": "geography"}
PROMPT = Prompt("The capital of Norland is", "The capital of Norland is", "Norland", 15)


def read_sketch(values: Values, path: Path) -> tuple[Prompt, bool]:
    sentence, entity = text(values, "sentence"), text(values, "entity")
    return Prompt(sentence, sentence, entity, sentence.index(entity)), True


@pytest.fixture
def sketch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Format]:
    yield formats.register(
        Format("sketch", "a throw-away format", read_sketch, signs=({"sentence", "entity"},))
    )
    del FORMATS["sketch"]


def as_table(row: dict[str, str], delimiter: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([row.keys(), row.values()])
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([SKETCH]),
        json.dumps(SKETCH),
        as_table(SKETCH, ","),
        as_table(SKETCH, "\t"),
    ],
)
def test_a_new_entry_is_recognised_and_can_be_asked_for(
    tmp_path: Path, sketch: Format, content: str
) -> None:
    path = save(tmp_path, content)
    for asked in (None, "sketch"):
        found = read_prompts(path, asked)
        assert (found.format, found.prompts) == ("sketch", (PROMPT,))
        assert found.identity()["format"] == "sketch"


def test_without_its_entry_it_is_not_known(tmp_path: Path) -> None:
    path = save(tmp_path, [{"sentence": "a b", "entity": "b"}])
    with pytest.raises(InputError, match="is in no known format"):
        read_prompts(path)
    with pytest.raises(InputError, match="not 'sketch'"):
        read_prompts(path, "sketch")


def test_others_are_read_as_before_beside_a_new_entry(tmp_path: Path, sketch: Format) -> None:
    for name, content in {
        "lre": json.dumps(RELATION, indent=1), "known_1000": [KNOWN], "counterfact": [COUNTERFACT],
        "json": [OWN], "jsonl": json.dumps(OWN),
    }.items():  # fmt: skip
        assert read_prompts(save(tmp_path, content)).format == name


def test_messages_name_a_new_entry(tmp_path: Path, sketch: Format) -> None:
    with pytest.raises(InputError, match=r"--format is .*sketch, not 'x'"):
        read_prompts(save(tmp_path, [SKETCH]), "x")
    with pytest.raises(InputError, match='record 1: the field "entity" is missing'):
        read_prompts(save(tmp_path, [{"sentence": "a"}]), "sketch")


def test_the_command_line_takes_a_new_entry(
    tmp_path: Path, sketch: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("prompts", save(tmp_path, [SKETCH]), "--format", "sketch") == 0
    assert "[ Nor" in capsys.readouterr().out


def test_the_help_of_the_command_line_lists_what_is_registered() -> None:
    code = (
        "from mlxjsd.prompts import formats\n"
        "formats.register(formats.Format('sketch', '', None, signs=()))\n"
        "from mlxjsd.cli import options\n"
        "print(options.Format.__metadata__[0].help)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in (*FORMATS, "sketch"):
        assert name in said.stdout


@dataclass(frozen=True)
class Card(Container):
    """A file with a single record, a field in each line."""

    def fits(self, start: str) -> bool:
        return start.startswith("# card")

    def rows(self, path: Path) -> Iterator[Row]:
        lines = path.read_text().splitlines()[1:]
        yield Row("card 1", dict(line.split(": ", 1) for line in lines))


@pytest.mark.parametrize("folders", [True, False])
def test_an_entry_may_bring_its_container_and_be_read_as_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: bool
) -> None:
    entry = Format(
        "card", "a card", read_sketch, ({"sentence", "entity"},), (Card(),), folders=folders
    )
    monkeypatch.setitem(FORMATS, "card", entry)
    path = save(
        tmp_path, "# card\nsentence: The capital of Norland is\nentity: Norland\n", "f/a.json"
    )
    assert read_prompts(path).prompts == (PROMPT,)
    if folders:
        assert read_prompts(path.parent).prompts == (PROMPT,)
        with pytest.raises(
            InputError, match="only jsonl and lre and entity_questions and cloze and card"
        ):
            read_prompts(save(tmp_path, [OWN], "g/a.json").parent)
    else:
        with pytest.raises(InputError, match="in the format card; only jsonl and lre and entity_"):
            read_prompts(path.parent)
        with pytest.raises(InputError, match="is a folder; name a file in the format card"):
            read_prompts(path.parent, "card")


def test_of_two_entries_that_fit_the_later_one_is_taken(tmp_path: Path, sketch: Format) -> None:
    both = {**SKETCH, **ENTITY}
    assert read_prompts(save(tmp_path, [both])).format == "sketch"
    assert (
        read_prompts(save(tmp_path, [{**both, "prompt": "a geography"}]), "json").format == "json"
    )


def test_a_name_is_given_once(sketch: Format) -> None:
    with pytest.raises(ValueError, match="there is a format 'sketch' already"):
        formats.register(sketch)


def test_every_entry_says_what_it_is_in_one_line() -> None:
    for name, entry in FORMATS.items():
        assert entry.name == name
        assert entry.help
        assert "\n" not in entry.help
        assert len(entry.help) < 80


def test_the_formats_are_listed_without_heavy_imports() -> None:
    code = "import sys, mlxjsd.prompts.formats; print('\\n'.join(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"ijson", "numpy", "mlx", "mlx_lm", "transformers", "rich", "typer", "textual"}
    assert not set(ended.stdout.split()) & heavy


@pytest.mark.parametrize(
    "name",
    [
        "registry",
        "own",
        "editing",
        "questions",
        "cloze_tables",
        "lre",
        "containers",
        "columns",
        "tables",
        "json_stream",
        "fields",
        "guess",
        "files",
        "kinds",
        "opening",
        "made",
    ],
)
def test_no_module_of_the_formats_needs_another_one_first(name: str) -> None:
    code = f"import mlxjsd.prompts.formats.{name}"
    subprocess.run([sys.executable, "-c", code], check=True)
