"""A small world for tests: a folder of real Python, a folder of real prose, a tour cut short."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from pydoc_data.topics import topics

ROOT = Path(__file__).parent.parent
TOUR = ROOT / "recipes" / "tour.yaml"
PACKAGES = ("asyncio", "email", "json", "logging", "collections", "concurrent", "unittest", "http")
MODULES = ("argparse", "ast", "calendar", "configparser", "csv", "difflib", "doctest", "enum")


def python_folder(folder: Path) -> Path:
    """Copy part of the standard library's source (about 2.5 MB) into ``folder``."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for package in PACKAGES:
        skip = shutil.ignore_patterns("__pycache__", "test*", "_test*")
        shutil.copytree(library / package, folder / package, ignore=skip)
    for module in MODULES:
        shutil.copyfile(library / f"{module}.py", folder / f"{module}.py")
    return folder


def prose_folder(folder: Path) -> Path:
    """Write the language reference topics as text files, a third of each format."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, text) in enumerate(sorted(topics.items())):
        if number % 3 == 2:
            page = f"<html><body><h1>{name}</h1><pre>{text}</pre></body></html>"
            (folder / f"{name}.html").write_text(page, encoding="utf-8")
        else:
            ending = ("txt", "md")[number % 3]
            (folder / f"{name}.{ending}").write_text(text, encoding="utf-8")
    return folder


def short_tour(sources: Path, out: Path) -> list[str]:
    """Override words that run the tour on one folder in well under a minute."""
    return [
        f"corpus.sources=[{{name: own, kind: files, path: {sources}}}]",
        f"out={out}",
        "train.steps=16",
        "train.batch_tokens=1024",
        "train.save_every=4",
        "sft.epochs=1",
        "items=8",
        "general_mix.tasks={classification: 40, naming: 40}",
        "extraction_mix.tasks={extraction: 40}",
        "generation_mix.tasks={generation: 40}",
        "trios.per_subset=40",
        "trios.per_test=20",
        "perplexity.max_tokens=4000",
        "writing.per_family=16",
        "text.budget.amount=200000",
    ]


def olmeda(*words: str, cwd: Path | None = None, timeout: int = 400) -> str:
    """Run the command line in a process of its own; return what it printed; fail loudly."""
    done = subprocess.run(
        [sys.executable, "-m", "olmeda", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
