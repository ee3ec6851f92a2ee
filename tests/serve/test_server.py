"""The server against clients that are wrong, greedy, absent or not its own."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from olmeda.base.errors import ArtifactError, ConfigError, ResourceError
from olmeda.serve.open import Door, listening, read_key, serve
from olmeda.serve.served import Served
from serve.conftest import LONGEST, running

ASK = {"prompt": "The list of", "temperature": 0, "max_tokens": 12}


def post(address: str, body: object = ASK, path: str = "/v1/completions", **how: object):
    return httpx.post(address + path, json=body, timeout=60, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"content": b"{"}, 400),
        ({"content": b"[]"}, 400),
        ({"content": b'{"prompt": "' + b"x" * LONGEST + b'"}'}, 413),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
    ],
)
def test_body_that_cannot_be_read_is_refused(address: str, how: dict, status: int) -> None:
    headers = {"Content-Type": "application/json", **how.pop("headers", {})}
    told = httpx.post(address + "/v1/completions", headers=headers, **how)
    assert told.status_code == status
    assert told.json()["error"]["message"]


def test_unknown_path_and_method_have_the_shape_of_errors(address: str) -> None:
    assert httpx.get(address + "/v1/nothing").json()["error"]["type"] == "invalid_request_error"
    assert httpx.get(address + "/v1/completions").status_code == 405


def test_request_under_another_name_is_refused(address: str) -> None:
    told = httpx.get(address + "/v1/models", headers={"Host": "evil.example"})
    assert told.status_code == 421


def test_key_is_asked_for(served: Served) -> None:
    with running(served, key="k" * 20) as address:
        assert post(address).status_code == 401
        wrong = {"headers": {"Authorization": "Bearer wrong"}}
        assert post(address, **wrong).json()["error"]["code"] == "invalid_api_key"
        right = {"headers": {"Authorization": "Bearer " + "k" * 20}}
        assert post(address, **right).status_code == 200
        assert httpx.get(address + "/").status_code == 200


def test_requests_at_once_get_what_they_get_alone(served: Served, address: str) -> None:
    bodies = [
        {"prompt": p, "seed": s, "max_tokens": m, "temperature": t}
        for s, (p, m, t) in enumerate(
            [("a", 30, 0), ("The list", 9, 1), ("def", 40, 0.5), ("x", 3, 0), ("in", 25, 2)] * 3
        )
    ]
    alone = [post(address, body).json()["choices"][0]["text"] for body in bodies]
    with ThreadPoolExecutor(len(bodies)) as pool:
        together = list(pool.map(lambda body: post(address, body), bodies))
    assert [t.json()["choices"][0]["text"] for t in together] == alone


def test_too_many_waiting_are_refused_and_the_rest_answered(served: Served) -> None:
    with running(served, rows=1, waiting=2) as address:
        told = post(address, {**ASK, "n": 8})
        assert told.status_code == 429
        assert told.headers["retry-after"] == "1"
        assert post(address, {**ASK, "n": 3}).status_code == 200


def test_client_that_leaves_frees_its_place(served: Served) -> None:
    with running(served, rows=1, waiting=0) as address:
        body = {**ASK, "stream": True, "max_tokens": 180}
        with httpx.stream("POST", address + "/v1/completions", json=body) as told:
            next(told.iter_bytes())
        for _ in range(100):
            if post(address).status_code == 200:
                break
            time.sleep(0.05)
        else:
            pytest.fail("the place was never free again")


def test_tokenizer_is_open_to_clients(served: Served, address: str) -> None:
    ids = post(address, {"prompt": "a b"}, "/tokenize").json()["tokens"]
    assert ids == served.tokenizer.encode("a b")
    assert post(address, {"tokens": ids}, "/detokenize").json() == {"prompt": "a b"}
    assert post(address, {"tokens": [9999]}, "/detokenize").status_code == 400
    told = httpx.get(address + "/tokenizer_info").json()
    assert post(address, {"prompt": told["eos_token"]}, "/tokenize").json()["tokens"] == [
        served.tokenizer.eos
    ]
    forged = post(address, {"prompt": "a" + told["eos_token"]}, "/tokenize").json()["tokens"]
    assert served.tokenizer.eos not in forged


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/completions", {"prompt": []}, "empty list"),
        ("/v1/completions", {"prompt": [], "stream": True}, "empty list"),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "x", "tool_calls": [{"id": "1"}]}]},
            "tool_calls is not offered",
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "x", "name": "Ann"}]},
            "name is not offered",
        ),
    ],
)
def test_what_would_be_ignored_is_refused(address: str, path: str, body: dict, said: str) -> None:
    told = post(address, body, path)
    assert told.status_code == 400
    assert said in told.json()["error"]["message"]


def test_message_of_an_answer_and_of_the_harness_is_taken(address: str) -> None:
    turns = [
        {"role": "user", "content": "x", "type": "text"},
        {"role": "assistant", "content": "y", "refusal": None, "tool_calls": None, "audio": None},
        {"role": "user", "content": "z"},
    ]
    told = post(address, {"messages": turns, "max_tokens": 2}, "/v1/chat/completions")
    assert told.status_code == 200


def test_detokenize_knows_its_model(address: str) -> None:
    assert post(address, {"tokens": [9], "model": "x"}, "/detokenize").status_code == 404


@pytest.mark.parametrize("prompt", ["日本 the list", "é", [0, 40, 41]])
def test_offsets_of_echo_are_places_in_its_text(
    address: str, served: Served, prompt: str | list[int]
) -> None:
    body = {"prompt": prompt, "echo": True, "logprobs": 1, "max_tokens": 3, "temperature": 0}
    told = post(address, body).json()
    text, logprobs = told["choices"][0]["text"], told["choices"][0]["logprobs"]
    count = told["usage"]["prompt_tokens"]
    offsets = logprobs["text_offset"][: count + 1]
    written = prompt if isinstance(prompt, str) else served.tokenizer.decode(prompt)
    assert offsets[count] == len(written)
    special = served.token_text(0)
    for token, first, end in zip(logprobs["tokens"], offsets, offsets[1:]):
        if "\ufffd" in token:  # a part of a character, which the last part ends
            assert end - first in (0, 1)
        else:
            assert text[first:end] == ("" if token == special else token)


def test_end_token_that_is_no_id_is_told(checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path / "odd")
    (tmp_path / "odd/generation_config.json").write_text('{"eos_token_id": "x"}')
    with pytest.raises(ArtifactError, match="eos_token_id is 'x'"):
        Served.open(tmp_path / "odd")


def test_page_loads_nothing_and_escapes_the_name(served: Served, address: str) -> None:
    told = httpx.get(address + "/")
    assert "default-src 'none'" in told.headers["content-security-policy"]
    assert "http" not in told.text.replace("http-equiv", "")
    assert served.name in told.text
    from olmeda.serve.page import chat_page

    assert b"<script>alert" not in chat_page("<script>alert(1)</script>").body


def test_address_that_others_reach_needs_a_key(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="--key-file"):
        serve(tmp_path, "", Door(host="0.0.0.0"))
    made = read_key(tmp_path / "key")
    assert read_key(tmp_path / "key") == made
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    (tmp_path / "short").write_text("abc")
    (tmp_path / "odd").write_bytes(b"\xff" * 20)
    for name in ("short", "odd"):
        with pytest.raises(ConfigError, match="16 or more"):
            read_key(tmp_path / name)


def test_port_that_is_taken_is_told() -> None:
    with listening("127.0.0.1", 0) as held:
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(ResourceError, match=f"port {port}"):
            listening("127.0.0.1", port)


def test_stream_and_whole_run_beside_each_other(address: str) -> None:
    done: list[int] = []
    threads = [
        threading.Thread(target=lambda: done.append(post(address, {**ASK, "n": 2}).status_code))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    body = {**ASK, "stream": True, "stop": ["never"]}
    lines = []
    with httpx.stream("POST", address + "/v1/completions", json=body) as told:
        lines = [line for line in told.iter_lines() if line]
    for thread in threads:
        thread.join()
    assert lines[-1] == "data: [DONE]"
    assert done == [200] * 3
