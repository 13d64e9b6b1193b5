"""What the doors take and give, as one OpenAPI document and a page to read it."""
