"""One file a formatter; a new file here is the whole change."""
