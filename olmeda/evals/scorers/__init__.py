"""One file a scorer: the pure measure first, then the plug-in that marks one answer with it."""
