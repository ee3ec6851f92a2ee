"""The rating page: blind, local, safe against the texts it shows, and never losing an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from olmeda.artifacts.examples import Output
from olmeda.base.errors import ConfigError, ResourceError
from olmeda.base.files import write_rows
from olmeda.rubric.prepare import PrepareConfig, prepare
from olmeda.rubric.ratings import Ratings, place_of
from olmeda.rubric.session import Session
from olmeda.web.rating import build_app, serve

TASK, TOKEN, PORT = "test/generation", "a-token", 8765
HERE = f"http://127.0.0.1:{PORT}"
SYSTEMS = ("dense-0.40", "general", "Human")
EVIL = '</div><script>alert("x")</script><img src=x onerror=alert(1)> {{ 7*7 }} &amp;'


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Three systems on two items, with markup wherever a text may hold it."""
    folder = tmp_path / "evals"
    folder.mkdir()
    rows = [
        Output(s, TASK, f"i{i}", f"def f{i}(): ... {EVIL}", f"More. {EVIL}", f"{n} {i} {EVIL}")
        for i in range(2)
        for n, s in enumerate(SYSTEMS)
    ]
    write_rows(folder / "outputs.jsonl", rows)
    config = PrepareConfig(outputs=[folder], task=TASK, raters=1)
    return Session.open(prepare(config, tmp_path / "run" / "session"))


@pytest.fixture
def ratings(session: Session) -> Ratings:
    return Ratings.create(place_of(session), session.digest)


def client(session: Session, ratings: Ratings, rater: str = "ann") -> TestClient:
    app = build_app(session, ratings, rater, TOKEN, PORT)
    return TestClient(app, base_url=HERE, headers={"Origin": HERE})


@pytest.fixture
def ann(session: Session, ratings: Ratings) -> TestClient:
    return client(session, ratings)


def save(
    page: TestClient, place: int, values: dict[str, Any], headers: dict[str, str] | None = None,
    **reasons: str,
) -> Any:  # fmt: skip
    body = {"values": values, "reasons": reasons, "seconds": 1.5}
    return page.post(f"/{TOKEN}/{place}", json=body, headers=headers)


def state_of(page: TestClient, place: int) -> dict[str, Any]:
    text = page.get(f"/{TOKEN}/{place}").text
    found = re.search(r'<script type="application/json" id="state">(.*?)</script>', text, re.S)
    assert found
    state: dict[str, Any] = json.loads(found[1])
    return state


WHOLE = {"P": 4, "Fl": 0, "Con": 0}


def test_texts_are_shown_and_never_run(ann: TestClient) -> None:
    page = ann.get(f"/{TOKEN}/4")
    assert page.status_code == 200
    assert "<img src=x" not in page.text
    assert 'alert("x")' not in page.text
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in page.text
    assert "{{ 7*7 }} &amp;amp;" in page.text
    policy = page.headers["Content-Security-Policy"]
    nonces = set(re.findall(r'nonce="([^"]+)"', page.text))
    assert len(nonces) == 1
    assert f"script-src 'nonce-{nonces.pop()}'" in policy
    assert "default-src 'none'" in policy


def test_page_loads_nothing_from_elsewhere(ann: TestClient) -> None:
    text = ann.get(f"/{TOKEN}/1").text
    own = re.sub(r'<div class="text.*?</div>', "", text, flags=re.S)
    assert not re.search(r'(src|href)="(https?:)?//', own)
    assert "@import" not in own
    assert "url(" not in own


def test_page_is_blind(ann: TestClient) -> None:
    for place in range(1, 13):
        text = ann.get(f"/{TOKEN}/{place}").text
        for name in SYSTEMS:
            assert name not in text


def test_reference_is_shown_only_in_the_pass_that_says_so(ann: TestClient) -> None:
    assert "More. " not in ann.get(f"/{TOKEN}/1").text
    assert "More. " in ann.get(f"/{TOKEN}/7").text
    assert "Pass 2 of 2" in ann.get(f"/{TOKEN}/7").text


def test_keys_are_shown_on_the_buttons(ann: TestClient) -> None:
    text = ann.get(f"/{TOKEN}/1").text
    for value in range(1, 6):
        assert f"<kbd>{value}</kbd>" in text
    assert "<kbd>f</kbd> take off 0.1" in text
    assert "Next <kbd>Enter</kbd>" in text


@pytest.mark.parametrize("path", ["/", "/wrong/", "/wrong/1", "/wrong/done", f"/{TOKEN}/99"])
def test_without_the_token_or_the_place_there_is_nothing(ann: TestClient, path: str) -> None:
    assert ann.get(path).status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "192.168.0.7:8765"])
def test_another_host_is_refused(ann: TestClient, host: str) -> None:
    assert ann.get(f"/{TOKEN}/1", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:1"])
def test_write_from_another_origin_is_refused(
    ann: TestClient, ratings: Ratings, origin: str
) -> None:
    assert save(ann, 1, WHOLE, {"Origin": origin}).status_code == 403
    assert ratings.history() == []


def test_form_post_is_refused(ann: TestClient, ratings: Ratings) -> None:
    answer = ann.post(f"/{TOKEN}/1", data={"values": "{}"})
    assert answer.status_code == 415
    assert ratings.history() == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"P": 6}, "Precision takes 1 to 5"),
        ({"P": 2.5}, "in steps of 1"),
        ({"Fl": -0.25}, "in steps of 0.1"),
        ({"Fl": -0.2}, "say in a word why"),
        ({"R": 3}, "no dimension in the precision pass"),
        ({"P": "five"}, "Expected `float`"),
        ({"P": None}, "Expected `float`"),
    ],
)
def test_invalid_values_are_refused_and_nothing_is_kept(
    ann: TestClient, ratings: Ratings, values: dict[str, Any], says: str
) -> None:
    answer = save(ann, 1, values)
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert ratings.history() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 422), (b"[]", 422), (b'{"values": {}, "reasons": {}, "seconds": -1}', 422),
     (b'"' + b"x" * 70_000 + b'"', 413)],
)  # fmt: skip
def test_broken_and_endless_bodies_are_refused(ann: TestClient, body: bytes, status: int) -> None:
    answer = ann.post(f"/{TOKEN}/1", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status


def test_answers_are_saved_counted_and_found_again(
    ann: TestClient, session: Session, ratings: Ratings
) -> None:
    assert save(ann, 1, {"P": 4}).json() == {"answered": False, "done": 0, "places": 12}
    kept = save(ann, 1, {"P": 4, "Fl": -0.3, "Con": 0}, Fl="stops <b>short</b>")
    assert kept.json() == {"answered": True, "done": 1, "places": 12}
    again = client(session, ratings)
    state = state_of(again, 1)
    assert state["values"] == {"P": 4, "Fl": -0.3, "Con": 0}
    assert state["reasons"] == {"Fl": "stops <b>short</b>"}
    assert again.get(f"/{TOKEN}/").url.path == f"/{TOKEN}/2"
    assert "1</span> of 12 done" in again.get(f"/{TOKEN}/2").text
    assert len(ratings.history()) == 2


def test_live_total_knows_the_other_pass_of_the_same_text(
    ann: TestClient, session: Session
) -> None:
    save(ann, 1, WHOLE)
    order = session.order("ann", 0)
    assert state_of(ann, 7)["elsewhere"] == WHOLE
    assert order[0] == order[(7 - 1) % 6]
    assert state_of(ann, 7)["weights"] == {"P": 0.5, "R": 0.5, "Fl": 1.0, "Con": 1.0}


def test_two_raters_do_not_see_each_other(session: Session, ratings: Ratings) -> None:
    ann, bob = client(session, ratings), client(session, ratings, "bob")
    save(ann, 1, WHOLE)
    assert state_of(bob, 1)["values"] == {}
    save(bob, 1, {**WHOLE, "P": 2})
    assert state_of(ann, 1)["values"]["P"] == 4
    assert {(r.rater, r.dims["P"]) for r in ratings.history()} == {("ann", 4.0), ("bob", 2.0)}


def test_end_is_reached_when_all_is_rated(ann: TestClient) -> None:
    assert "0 of 12 ratings are in" in ann.get(f"/{TOKEN}/done").text
    for place in range(1, 13):
        save(ann, place, WHOLE if place < 7 else {"R": 3})
    page = ann.get(f"/{TOKEN}/")
    assert page.url.path == f"/{TOKEN}/done"
    assert "All 12 ratings are in" in page.text


def test_full_disk_is_told_and_is_no_success(
    ann: TestClient, ratings: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> bool:
        raise ResourceError("no space left")

    monkeypatch.setattr(Ratings, "save", full)
    answer = save(ann, 1, WHOLE)
    assert answer.status_code == 503
    assert answer.json() == {"error": "no space left"}


def test_taken_port_and_empty_name_are_told(session: Session) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ResourceError, match=f"say another, for example --port {port + 1}"):
            serve(session.path, "ann", port)
    with pytest.raises(ConfigError, match="no name for a rater"):
        serve(session.path, " ", 0)
