"""The conversation in the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from olmeda.artifacts.examples import Message
from olmeda.model.decode import Decoder, Prompt
from olmeda.model.generate import generate
from olmeda.model.sampling import GREEDY
from olmeda.serve.console import Conversation, _answer, chat
from olmeda.serve.served import Served


def test_each_turn_reads_all_before_it(served: Served) -> None:
    conversation = Conversation(served, GREEDY, 10, 0)
    said: list[Message] = []
    for text in ("Hi", "And?"):
        said.append(Message("user", text))
        answer = "".join(conversation.say(text))
        ids = served.tokenizer.encode_chat(said, generation_prompt=True)[0]
        found = generate(served.model, [ids], max_new_tokens=10, eos=served.tokenizer.eos)[0]
        assert answer == served.tokenizer.decode(found)
        said.append(Message("assistant", answer))


def test_terminal_shows_the_answer_and_survives_a_full_context(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = iter(["/system Be brief.", "Hi", "x" * 2000, "/what", "/new", "Hi", "/quit"])
    chat(checkpoint, GREEDY, 8, 0, read=lambda prompt: next(lines))
    shown = capsys.readouterr().out
    assert shown.count("[8 tokens") == 2
    assert "leave room for an answer; /new begins anew" in shown
    assert "/system TEXT" in shown


def test_ctrl_c_while_a_prompt_is_read_ends_that_answer_alone(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Conversation(served, GREEDY, 5, 0)
    join = Decoder.join

    def stopped(self: Decoder, prompts: list[Prompt]) -> None:
        raise KeyboardInterrupt

    for wanted in ("(stopped)\n", "[5 tokens", "(stopped)\n"):
        monkeypatch.setattr(Decoder, "join", stopped if "stopped" in wanted else join)
        _answer(conversation, "Hi")
        shown = capsys.readouterr().out
        assert wanted in shown
        assert ("tokens" in shown) == ("tokens" in wanted)  # none of the answer before


def test_end_of_input_ends_it(checkpoint: Path) -> None:
    def end(prompt: str) -> str:
        raise EOFError

    chat(checkpoint, GREEDY, 8, 0, read=end)
