"""What providers let us do, shared among tenants over all processes: on Redis, where one script decides."""
