"""Statements are made once for each shape, and a shape says all that distinguishes two of them."""

from typing import Any

from sqlalchemy import column

from state.prepared import MOST, Prepared, parameters, settings, shape_of

RAISED: Any = column("epoch") + 1


def test_the_same_shape_gives_the_same_statement() -> None:
    prepared = Prepared()
    assert prepared.get("shape", object) is prepared.get("shape", object)
    assert prepared.get("shape", object) is not prepared.get("another", object)


def test_values_do_not_matter_and_columns_and_expressions_do() -> None:
    shape = shape_of({"status": "ready", "epoch": RAISED})
    assert shape == shape_of({"status": None, "epoch": RAISED})
    assert shape != shape_of({"status": "ready", "epoch": 1})
    assert shape != shape_of({"status": "ready", "epoch": column("epoch") + 2})
    assert shape != shape_of({"status": "ready"})


def test_a_value_is_a_parameter_and_an_expression_stays_one() -> None:
    values = {"status": "ready", "epoch": RAISED}
    assert parameters(values) == {"v_status": "ready"}
    assert settings(values)["epoch"] is RAISED
    assert settings(values)["status"].key == "v_status"


def test_shapes_that_are_never_the_same_twice_do_not_fill_the_memory() -> None:
    prepared = Prepared()
    for number in range(3 * MOST):
        prepared.get(number, object)
    assert len(prepared._made) <= MOST
