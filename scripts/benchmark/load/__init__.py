"""Clients: each sends one kind of load, and fails when an answer is not what it should be."""
