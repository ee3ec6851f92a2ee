"""Places that show runs, each in a file of its own; opened only when a recipe names them."""
