"""``python -m olmeda`` and ``torchrun -m olmeda``: the same command line."""

from olmeda.cli import main

main()
