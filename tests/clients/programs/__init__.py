"""The clients' programs in Python; they run apart from the tests, with packages of their own."""
