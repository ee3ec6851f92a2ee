from __future__ import annotations

import ast
from pathlib import Path
from random import Random

import pytest

from olmeda.artifacts.corpus import Document
from olmeda.artifacts.examples import Trio
from olmeda.artifacts.lineage import Lineage
from olmeda.base.config import validated
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.files import read_json, read_rows
from olmeda.reward.makers.python_signature import python_signature
from olmeda.reward.makers.text_corrupt import text_corrupt
from olmeda.reward.makers.text_shuffle import text_shuffle
from olmeda.reward.mutations import mutated, mutations
from olmeda.reward.pairs import Balance, Pair, interleaved
from olmeda.reward.trios import TriosConfig, trios
from reward.conftest import module, note, write_corpus

SUBSETS = {"bodies": [["python_mutation", "text_shuffle"]],
           "details": [["python_signature", "text_corrupt"]]}  # fmt: skip
EVERYTHING = """
def everything(a, b, *rest):
    if a < b and not rest:
        a += 1
        return a // 2
    for x in rest:
        b = f(x, b)
        b = b if x is None else b - 3
    return True in rest or g(a=b)
"""


def made(path: Path, split: str) -> list[Trio]:
    return list(read_rows(path / f"{split}.jsonl", Trio))


def build(folder: Path, documents: list[Document], **changes: object) -> Path:
    corpus, heldout = write_corpus(folder, documents)
    values = {"corpus": corpus, "heldout": heldout, "subsets": SUBSETS,
              "least": {"train": 3, "test": 1}, **changes}  # fmt: skip
    return trios(validated(TriosConfig, values, ""), folder / "trios")


def test_every_mutation_parses_and_changes_the_tree() -> None:
    tree = ast.parse(EVERYTHING)
    truth = ast.dump(tree)
    kinds = set()
    for mutation in mutations(tree):
        assert ast.dump(ast.parse(mutated(tree, mutation))) != truth
        kinds.add(mutation.kind)
    assert ast.dump(tree) == truth
    assert kinds == {
        "comparison", "boolean_operator", "operator", "boolean_constant", "off_by_one",
        "negated_condition", "swapped_arguments", "dropped_statement",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", ["a <= b"]),
        ("a is not b", ["a is b"]),
        ("a and b", ["a or b"]),
        ("a % b", ["a // b"]),
        ("'%s' % b", []),
        ("f(a, *b)", []),
        ("f(a, a)", []),
        ("f(a, b)", ["f(b, a)"]),
        ("x[0]", ["x[1]"]),
        ("True", ["False"]),
        ("y if not x else z", ["y if x else z"]),
    ],
)
def test_mutations_of_one_line(source: str, expected: list[str]) -> None:
    tree = ast.parse(source)
    assert [mutated(tree, m) for m in mutations(tree)] == expected


def test_signatures_come_from_metadata_and_are_corrupted() -> None:
    document = Document(
        "docs/f", "Move the file at path to target, or fail.", "docs",
        metadata={"qualname": "K.move", "signature": "move(self, path, target='x', *, flag=None)"},
    )  # fmt: skip
    ((part, pairs),) = python_signature(document, Random(0))
    found = list(pairs)
    assert part == "K.move"
    assert {p.chosen for p in found} == {"def move(path, target='x', *, flag=None)"}
    assert {p.metadata["mutation"] for p in found} == {
        "renamed_parameter", "dropped_parameter", "added_parameter", "changed_default",
    }  # fmt: skip
    for pair in found:
        assert ast.dump(ast.parse(f"{pair.chosen}: ...")) != ast.dump(
            ast.parse(f"{pair.rejected}: ...")
        )


def test_signature_that_the_text_does_not_speak_of_is_passed_over() -> None:
    metadata = {"qualname": "f", "signature": "f(alpha)"}
    assert (
        list(python_signature(Document("d", "Do it.", "docs", metadata=metadata), Random(0))) == []
    )
    broken = {"qualname": "f", "signature": "f(alpha=<object at 0x1>)"}
    document = Document("d", "Do alpha.", "docs", metadata=broken)
    assert list(python_signature(document, Random(0))) == []


def test_prose_is_shuffled_or_corrupted_in_one_place() -> None:
    for maker in (text_shuffle, text_corrupt):
        for _, pairs in maker(note(1), Random(0)):
            for pair in pairs:
                chosen, rejected = pair.chosen.split(), pair.rejected.split()
                assert len(chosen) == len(rejected)
                if maker is text_shuffle:
                    assert sorted(chosen) == sorted(rejected)
                else:
                    assert sum(a != b for a, b in zip(chosen, rejected)) == 1


def test_balance_never_tilts_by_more_than_one() -> None:
    balance = Balance()
    draws = Random(0)
    for _ in range(200):
        lengths = [draws.randint(1, 5) for _ in range(3)]
        balance.choose([Pair("p", "aaa", "b" * n) for n in lengths])
        assert abs(balance.surplus) <= 1


def test_no_kind_of_mutation_crowds_out_the_others() -> None:
    items = ["a"] * 50 + ["b", "c"]
    assert sorted(interleaved(items, items, Random(3))[:3]) == ["a", "b", "c"]


def test_python_makes_python_trios_from_separate_documents(tmp_path: Path) -> None:
    path = build(tmp_path, [module(n) for n in range(20)])
    train, test = made(path, "train"), made(path, "test")
    assert {t.subset for t in train} == {"python_mutation", "python_signature"}
    assert {t.section for t in test} == {"bodies", "details"}
    held_out = {f"code/m{n}.py" for n in range(0, 20, 5)}
    assert {t.metadata["document"] for t in test} == held_out
    assert not {t.metadata["document"] for t in train} & held_out
    for trio in train + test:
        assert len(trio.prompt) <= 300
        assert max(len(trio.chosen), len(trio.rejected)) <= 300
        if trio.subset == "python_mutation":
            assert ast.dump(ast.parse(trio.chosen)) != ast.dump(ast.parse(trio.rejected))
    assert Lineage.open(path).counts["train"] == len(train)


def test_lengths_are_balanced_in_each_subset_and_split(tmp_path: Path) -> None:
    path = build(tmp_path, [module(n) for n in range(40)])
    for split in ("train", "test"):
        for subset in ("python_mutation", "python_signature"):
            pairs = [t for t in made(path, split) if t.subset == subset]
            longer = sum(len(t.chosen) > len(t.rejected) for t in pairs)
            shorter = sum(len(t.chosen) < len(t.rejected) for t in pairs)
            assert abs(longer - shorter) <= 1


def test_prose_makes_text_trios_with_the_same_settings(tmp_path: Path) -> None:
    path = build(tmp_path, [note(n) for n in range(20)])
    assert {t.subset for t in made(path, "train")} == {"text_shuffle", "text_corrupt"}
    found = read_json(path / "found.json")
    assert {name: f["used"] for name, f in found.items()} == {
        "python_mutation": False, "text_shuffle": True, "python_signature": False,
        "text_corrupt": True,
    }  # fmt: skip


def test_near_copies_of_held_out_documents_teach_nothing(tmp_path: Path) -> None:
    corpus, heldout = write_corpus(tmp_path, [module(n) for n in range(10)], near="code/m3.py")
    config = {"corpus": corpus, "heldout": heldout, "subsets": SUBSETS,
              "least": {"train": 3, "test": 1}}  # fmt: skip
    path = trios(validated(TriosConfig, config, ""), tmp_path / "trios")
    used = {t.metadata["document"] for t in made(path, "train") + made(path, "test")}
    assert "code/m3.py" not in used
    assert "code/m4.py" in used


def test_answer_that_is_tested_is_not_taught(tmp_path: Path) -> None:
    twin = Document("code/twin.py", module(0).text, "code", metadata={"language": "python"})
    path = build(tmp_path, [module(n) for n in range(10)] + [note(99), twin])
    tested = {t.chosen for t in made(path, "test")}
    assert not tested & {t.chosen for t in made(path, "train")}


def test_same_seed_gives_the_same_trios_and_another_others(tmp_path: Path) -> None:
    documents = [module(n) for n in range(10)]
    digests = [
        Lineage.open(build(tmp_path / name, documents, seed=seed)).digest
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_too_few_trios_are_an_error_that_counts_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"subsets.bodies: no maker finds 900 train and 1 test"):
        build(tmp_path, [module(1), module(2)], least={"train": 900, "test": 1})


def test_unknown_maker_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no maker of trios called 'python_mutatoin'; did you"):
        build(tmp_path, [module(1)], subsets={"a": [["python_mutatoin"]]})
