"""How large the fleets of the benchmarks are. `--scale 0.1` makes all of them smaller, to try a benchmark out."""

SCALE = 1.0
LEAST = 6  # numbers


def scaled(numbers: int) -> int:
    return numbers if SCALE == 1.0 else max(int(numbers * SCALE), LEAST)
