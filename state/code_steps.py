"""The steps around a verification code: on each side one requests it, and one verifies what a person has read."""

from collections.abc import Mapping

# By the step that requests a code: the step that verifies it.
VERIFIED_BY: Mapping[str, str] = {"request_code": "verify_code", "request_code_onprem": "verify_code_onprem"}
REQUEST_STEPS = tuple(VERIFIED_BY)
VERIFY_STEPS = tuple(VERIFIED_BY.values())  # before these somebody types a code
CODE_STEPS = (*REQUEST_STEPS, *VERIFY_STEPS)
# By each of the four: the step that requests the code.
REQUESTED_BY: Mapping[str, str] = {
    step: request for request, verify in VERIFIED_BY.items() for step in (request, verify)
}
NO_CODE_PAGE = "runbooks/code-never-comes.md"
