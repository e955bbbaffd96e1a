"""The worker: runs the functions of a module for a pool of interlockd.

docs/worker-protocol.md says what it and the server say to each other.
"""
