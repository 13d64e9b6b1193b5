"""The steps of a request's way, one file each, in the order of `gateway/pipeline.py`."""
