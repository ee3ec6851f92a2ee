from __future__ import annotations

from olmeda.base.braille import braille


def text(drawn: list[list[tuple[str, int]]]) -> list[str]:
    return ["".join(dots for dots, _ in row) for row in drawn]


def test_a_diagonal_runs_from_corner_to_corner() -> None:
    drawn = braille([[(0, 0), (1, 1)]], (0, 0, 1, 1), 4, 2)
    assert text(drawn) == ["⠀⠀⡠⠊", "⡠⠊⠀⠀"]


def test_a_level_line_is_level() -> None:
    drawn = braille([[(0, 0.5), (1, 0.5)]], (0, 0, 1, 1), 3, 1)
    assert text(drawn) == ["⠤⠤⠤"]


def test_each_character_knows_its_line() -> None:
    drawn = braille([[(0, 1), (1, 1)], [(0, 0), (1, 0)]], (0, 0, 1, 1), 2, 2)
    assert [[line for _, line in row] for row in drawn] == [[0, 0], [1, 1]]
    assert braille([], (0, 0, 1, 1), 1, 1) == [[("⠀", -1)]]


def test_points_outside_lie_on_the_edge() -> None:
    drawn = braille([[(-5, 9), (7, float("nan"))]], (0, 0, 1, 1), 1, 1)
    assert text(drawn) == ["⠉"]


def test_a_box_without_size_holds_its_point() -> None:
    assert text(braille([[(3, 3)]], (3, 3, 3, 3), 1, 1)) == ["⠁"]
