"""What may be called: providers, their keys, models, deployments and prices."""
