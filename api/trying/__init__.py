"""Every inference door once more, for people who are signed in: pages to try it, without a key."""
