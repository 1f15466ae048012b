"""Nothing waits without end: templates that loop, pipes where files are expected."""

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from commands import call
from transformers import PreTrainedTokenizerFast

from mlxjsd.assets.recipe.tokenizer import BOS, EOS, train_tokenizer
from mlxjsd.errors import InputError
from mlxjsd.prompts import chat_template
from mlxjsd.prompts.chat_template import Chat
from mlxjsd.time_limit import TooLong, time_limit

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def endless() -> None:
    while True:
        pass


def test_a_chat_template_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "SECONDS", 0.2)
    trained = train_tokenizer(["The capital of France is"] * 3, 330)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained, bos_token=BOS, eos_token=EOS, chat_template=ENDLESS
    )
    began = time.monotonic()
    with pytest.raises(InputError, match=r"cannot be used \(it takes over 0.2 seconds\)"):
        Chat(tokenizer)
    assert time.monotonic() - began < 5


def test_a_limit_holds_on_any_thread() -> None:
    found: list[str] = []

    def work() -> None:
        try:
            with time_limit(0.1):
                endless()
        except TooLong:
            found.append("ended")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(5)
    assert found == ["ended"]


def test_nothing_is_raised_once_the_work_is_done() -> None:
    for _ in range(200):
        # About as long as it may take: sometimes it is over before, and sometimes not.
        with suppress(TooLong), time_limit(0.002):
            time.sleep(0.0018)
    for _ in range(1000):
        time.sleep(0)


@pytest.mark.parametrize("command", ["prompts", "run"])
def test_a_pipe_is_no_file_of_prompts(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    asked = ["prompts", tmp_path / "pipe.jsonl"]
    if command == "run":
        asked = ["run", "--data", tmp_path / "pipe.jsonl", "--output", tmp_path / "r"]
    assert call(*asked) == 2
    assert "is a device or a pipe" in capsys.readouterr().err
    # Nor in a folder of files.
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.jsonl").write_text(json.dumps({"prompt": "France is", "subject": "France"}))
    os.mkfifo(folder / "b.jsonl")
    assert call("prompts", folder) == 2
