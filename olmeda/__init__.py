"""olmeda: an open language-model lab, from raw text to a ranked, skill-merged model."""

__version__ = "0.1.0"
