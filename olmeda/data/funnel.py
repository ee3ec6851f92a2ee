"""The funnel: how many documents and characters each stage of a mix let through, and why not."""

from __future__ import annotations

from collections.abc import Sequence

from olmeda.artifacts.corpus import FunnelStage
from olmeda.data.cut import Cut


class Funnel:
    """Counts by stage and source; ``documents_in`` is always out plus what was dropped."""

    def __init__(self, stages: Sequence[str], sources: Sequence[str]) -> None:
        self.stages = list(stages)
        self._held = {
            (stage, source): FunnelStage(stage, source, 0, 0, 0, 0, {}, {}, {})
            for stage in stages
            for source in sources
        }

    def enter(self, stage: str, source: str, characters: int) -> None:
        """A document comes to a stage."""
        held = self._held[stage, source]
        held.documents_in += 1
        held.characters_in += characters

    def leave(self, stage: str, source: str, characters: int) -> None:
        """A document goes on to the next stage."""
        held = self._held[stage, source]
        held.documents_out += 1
        held.characters_out += characters

    def drop(self, stage: str, source: str, reason: str, times: int = 1) -> None:
        """A document goes no further."""
        dropped = self._held[stage, source].dropped
        dropped[reason] = dropped.get(reason, 0) + times

    def cut(self, stage: str, source: str, cuts: Sequence[Cut]) -> None:
        """Stretches of a document go no further."""
        held = self._held[stage, source]
        for cut in cuts:
            held.cut_spans[cut.reason] = held.cut_spans.get(cut.reason, 0) + 1
            length = cut.end - cut.start
            held.cut_characters[cut.reason] = held.cut_characters.get(cut.reason, 0) + length

    def rows(self) -> list[FunnelStage]:
        """Stage by stage, and source by source in each."""
        return list(self._held.values())
