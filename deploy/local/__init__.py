"""Everything `make run` needs on one machine: install, generate, start, watch, stop.

These modules run on the system's Python 3.11 with nothing but its standard library (and chassis.durable, which
needs no more), because they are what brings the environment into being.
"""
