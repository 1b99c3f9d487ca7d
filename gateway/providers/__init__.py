"""Adapters: one file per provider, each stating only what differs. `registry.py` names them all."""
