"""`cutover prove`: one more message of a moved number, and what it says where none is sent."""

from tests.cli.side_effects import MakeOperator, sent


def test_another_message_is_sent_once_and_the_record_has_the_name(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"], world="open")
    operator.import_numbers()
    operator.run_number()
    before = sent(operator)
    early = operator.cutover("prove", "N-0001")
    assert (early.exit_code, sent(operator)) == (1, before)
    assert "is under way" in early.stderr
    operator.harness.clock.advance(600)
    output = operator.cutover("prove", "N-0001", "--because", "silent at night")
    assert (output.exit_code, len(sent(operator))) == (4, len(before) + 1), output.stderr
    assert "not proved" in output.stdout
    shown = operator.cutover("show", "N-0001").stdout
    assert "by tester; because silent at night" in shown


def test_a_number_that_is_not_moved_is_only_given_a_mode(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"], world="open")
    operator.import_numbers()
    refused = operator.cutover("prove", "N-0001")
    assert (refused.exit_code, sent(operator)) == (1, [])
    assert "still being moved" in refused.stderr
    given = operator.cutover("prove", "N-0001", "--smoke", "read-only")
    assert (given.exit_code, sent(operator)) == (0, [])
    assert operator.run_number().smoke == "read-only"
    assert not [call for call in sent(operator) if "message" in call.lower()]


def test_a_number_without_a_recipient_is_moved_and_is_not_proved(make_operator: MakeOperator) -> None:
    """`outbound` is the default: where nobody is named, nothing is sent, and nothing is green."""
    operator = make_operator(kinds=["healthy"], world="open")
    operator.import_numbers(smoke_to="")
    output = operator.cutover("run", "N-0001", "--patience", "600")
    assert output.exit_code == 4, output.stdout + output.stderr
    assert "registered on Cloud and not proved: no message was sent: no recipient is named" in output.stdout
    assert not [call for call in sent(operator) if "message" in call.lower()]
    document = operator.cutover("status", "--json").document["numbers"][0]
    assert (document["registered"], document["proved"], document["service"]) == (True, False, "registered, not proved")
