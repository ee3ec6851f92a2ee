from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.lineage import Lineage
from olmeda.artifacts.tensors import TensorWriter, read_slot, slots_of
from olmeda.base.config import validated
from olmeda.base.errors import ArtifactError, ConfigError, InputError
from olmeda.merge.apply import ApplyConfig, apply

Make = Callable[..., Path]


def config(base: Path, models: dict[str, tuple[Path, float]], **rest: object) -> ApplyConfig:
    listed = {n: {"path": p, "weight": w} for n, (p, w) in models.items()}
    return validated(ApplyConfig, {"base": base, "models": listed, **rest}, "")


def tensors(path: Path) -> dict[str, np.ndarray]:
    return {n: read_slot(s) for n, s in slots_of(Checkpoint.open(path)).items()}


def test_task_arithmetic_is_general_plus_weighted_skill_vector(make: Make, tmp_path: Path) -> None:
    base, general, skill = make("base", 0), make("general", 1), make("skill", 2)
    out = apply(config(base, {"general": (general, 1.0), "skill": (skill, 0.4)}), tmp_path / "out")
    b, g, s = tensors(base), tensors(general), tensors(skill)
    for name, merged in tensors(out).items():
        wide = [t[name].astype(np.float64) for t in (b, g, s)]
        expected = wide[0] + (wide[1] - wide[0]) + 0.4 * (wide[2] - wide[0])
        assert np.array_equal(merged, expected.astype(np.float32))
    assert Lineage.open(out).counts == {"tensors": 3, "parameters": 100}
    assert (out / "tokenizer.json").is_file()


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16"])
def test_merging_one_model_at_weight_one_gives_it_back_bit_for_bit(
    make: Make, tmp_path: Path, dtype: str
) -> None:
    base, model = make("base", 0, dtype=dtype), make("model", 1, dtype=dtype)
    out = apply(config(base, {"model": (model, 1.0)}), tmp_path / "out")
    assert (out / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_linear_merge_in_bfloat16_is_rounded_once(make: Make, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    paths = [make(f"m{i}", i, dtype="BF16") for i in range(3)]
    models = {f"m{i}": (p, 1.0) for i, p in enumerate(paths)}
    out = apply(config(paths[0], models, method="linear", origin="zero"), tmp_path / "out")
    for name, merged in tensors(out).items():
        exact = sum(tensors(p)[name].astype(np.float64) for p in paths) / 3
        rounded = torch.from_numpy(exact).to(torch.bfloat16).float().numpy()
        assert (merged == rounded).mean() > 0.98  # sums in float32: the rest is a halfway case


def test_dtype_can_be_changed_and_config_says_so(make: Make, tmp_path: Path) -> None:
    base, model = make("base", 0), make("model", 1, dtype="BF16")
    with pytest.raises(InputError, match=r"is BF16, in the base F32; say which to write"):
        apply(config(base, {"m": (model, 1.0)}), tmp_path / "refused")
    out = apply(config(base, {"m": (model, 1.0)}, dtype="BF16"), tmp_path / "out")
    assert Checkpoint.open(out).config["torch_dtype"] == "bfloat16"
    assert {s.dtype for s in slots_of(Checkpoint.open(out)).values()} == {"BF16"}


def test_random_methods_repeat_with_the_seed(make: Make, tmp_path: Path) -> None:
    base, model = make("base", 0), make("model", 1)
    outs = [
        apply(config(base, {"m": (model, 1.0)}, method="dare", seed=s), tmp_path / name)
        for name, s in [("a", 3), ("b", 3), ("c", 4)]
    ]
    digests = [Lineage.open(o).digest for o in outs]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"without": "lm_head.weight"}, "lacks lm_head.weight"),
        ({"shapes": {"q_proj.bias": (2,)}}, "has q_proj.bias, which the base lacks"),
        ({"shapes": {"model.norm.weight": (5,)}}, r"norm.weight has shape \[5\]"),
        ({"config": {"num_attention_heads": 4}}, "num_attention_heads 4, the base 2"),
        ({"tokenizer": '{"other": 1}'}, "another tokenizer.json"),
    ],
)
def test_models_that_do_not_fit_are_refused_before_reading(
    make: Make, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    base, model = make("base", 0), make("model", 1, **changes)
    with pytest.raises(InputError, match=message):
        apply(config(base, {"m": (model, 1.0)}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_fault_is_listed_at_once(make: Make, tmp_path: Path) -> None:
    base = make("base", 0)
    model = make("model", 1, config={"model_type": "llama"}, tokenizer="{ }")
    with pytest.raises(InputError) as error:
        apply(config(base, {"m": (model, 1.0)}), tmp_path / "out")
    assert str(error.value).count("\n") == 2


def test_tied_embeddings_with_a_stored_head_are_refused(make: Make, tmp_path: Path) -> None:
    tied = {"config": {"tie_word_embeddings": True}}
    base, model = make("base", 0, **tied), make("model", 1, **tied)
    with pytest.raises(InputError, match=r"ties the embeddings, yet lm_head\.weight is stored"):
        apply(config(base, {"m": (model, 1.0)}), tmp_path / "out")


@pytest.mark.parametrize("method", ["linear", "ties"])
def test_weights_summing_to_zero_are_refused(make: Make, tmp_path: Path, method: str) -> None:
    base, one, two = make("base", 0), make("one", 1), make("two", 2)
    with pytest.raises(ConfigError, match="sum to 0"):
        apply(config(base, {"a": (one, 1.0), "b": (two, -1.0)}, method=method), tmp_path / "out")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("lineer", "no merge_method called 'lineer'; did you mean 'linear'"),
        ({"name": "ties", "densty": 0.5}, "has no parameter 'densty'; it takes weights, density"),
        ({"name": "ties", "density": 2}, "density: 2.0 is not in"),
    ],
)
def test_wrong_method_or_parameter_is_named(
    make: Make, tmp_path: Path, method: object, message: str
) -> None:
    base, model = make("base", 0), make("model", 1)
    with pytest.raises(ConfigError, match=message):
        apply(config(base, {"m": (model, 1.0)}, method=method), tmp_path / "out")


def test_output_over_an_input_is_refused(make: Make, tmp_path: Path) -> None:
    base, model = make("base", 0), make("model", 1)
    merged = apply(config(base, {"m": (model, 1.0)}), tmp_path / "merged")
    with pytest.raises(ArtifactError, match="is also the input"):
        apply(config(base, {"m": (merged, 0.5)}), merged, replace=True)
    with pytest.raises(ArtifactError, match="was not made by olmeda"):
        apply(config(base, {"m": (model, 0.5)}), base)


def test_nan_is_refused_or_replaced_by_the_base(make: Make, tmp_path: Path) -> None:
    base, model = make("base", 0), make("model", 1)
    values = tensors(model)
    values["model.norm.weight"][2] = np.nan
    with TensorWriter(
        model / "model.safetensors", {n: ("F32", v.shape) for n, v in values.items()}
    ) as out:
        for name, value in values.items():
            out.write(name, value)
    with pytest.raises(InputError, match=r"model.norm.weight holds 1 NaN or infinite values of 4"):
        apply(config(base, {"m": (model, 1.0)}), tmp_path / "refused")
    path = apply(config(base, {"m": (model, 1.0)}, bad_values="base"), tmp_path / "out")
    merged = tensors(path)["model.norm.weight"]
    assert merged[2] == tensors(base)["model.norm.weight"][2]
    assert Lineage.open(path).counts["values_replaced"] == 1


def test_full_disk_is_known_before_the_merge(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from olmeda.base.errors import ResourceError
    from olmeda.merge import plan

    class Usage:
        free = 10

    monkeypatch.setattr(plan.shutil, "disk_usage", lambda folder: Usage)
    base, model = make("base", 0), make("model", 1)
    with pytest.raises(ResourceError, match="make room"):
        apply(config(base, {"m": (model, 1.0)}), tmp_path / "out")
