"""What people call a gateway with, run as they run it: each client is a program of its own."""
