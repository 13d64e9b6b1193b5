"""What operators run from a shell."""
