"""The inference engine: one work queue and a replica of the model on each device, each with two pipeline stages."""
