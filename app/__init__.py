"""The web service: HTTP around ``omninet.model.predictor``."""
