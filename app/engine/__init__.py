"""The engine: one queue, replicas of the model behind it, and the stages of each."""
