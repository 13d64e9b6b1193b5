"""The doors: dialects, the carriers that speak them, and the composition root."""
