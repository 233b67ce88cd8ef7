"""Tests of the SDK itself: `python3 -m unittest` in the folder above. The host
is a stand-in; what a real one does with a plugin, `relata plugin test` shows."""
