"""Bytes from outside: files, hub repositories, released checkpoints."""
