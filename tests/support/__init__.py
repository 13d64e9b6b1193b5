"""What tests stand on: real servers, and databases whose guards can be lifted."""
