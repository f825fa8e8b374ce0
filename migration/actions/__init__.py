"""What a person asks for, in one place for the command line and Prefect's forms. Each checks, changes, and says."""

from migration.actions.approval import let_cross, still_here, way_back_on_record, ways_back
from migration.actions.codes import enter_code
from migration.actions.numbers import (
    Back,
    abort,
    back_to_onprem,
    dispose,
    hand_in_pin,
    hold_number,
    look_again,
    look_back,
    recover_forward,
    release_number,
    spend_reserve,
    state_onprem_off,
    switch_way,
    turn_to_abort,
)
from migration.actions.profiles import renew_profile
from migration.actions.refused import KNOWN, Refused
from migration.actions.waves import (
    OVER,
    begin_wave,
    hold_wave,
    move_window,
    numbers_of,
    plan_wave,
    refuse_empty,
    release_wave,
    stop_wave,
)

__all__ = [
    "KNOWN",
    "OVER",
    "Back",
    "Refused",
    "abort",
    "back_to_onprem",
    "begin_wave",
    "dispose",
    "enter_code",
    "hand_in_pin",
    "hold_number",
    "hold_wave",
    "let_cross",
    "look_again",
    "look_back",
    "move_window",
    "numbers_of",
    "plan_wave",
    "recover_forward",
    "refuse_empty",
    "release_number",
    "release_wave",
    "renew_profile",
    "spend_reserve",
    "state_onprem_off",
    "still_here",
    "stop_wave",
    "switch_way",
    "turn_to_abort",
    "way_back_on_record",
    "ways_back",
]
