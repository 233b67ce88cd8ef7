"""A module beside the plugin's, for places of faults."""


def divide(a: int, b: int) -> float:
    return a / b
