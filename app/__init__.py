"""The web service: HTTP around ``model.predictor``."""
