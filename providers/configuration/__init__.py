"""The declarative file: what operators write, how it is applied, how it is written back.

A file changes only what it names. What it leaves out stays as it is, unless it is told to prune.
"""
