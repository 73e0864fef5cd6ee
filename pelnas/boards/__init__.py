"""Devices elsewhere: networks to measure there, and a device of the answers."""
