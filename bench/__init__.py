"""What a call costs: the gateway beside a bare pass-through, in front of a provider stub without latency."""
