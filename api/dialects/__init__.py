"""One pure file a dialect: parse a request into an `Ask`, render what comes back."""
