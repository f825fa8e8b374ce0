"""What a person asks for, in one place for the command line and Prefect's forms. Each checks, changes, and says."""

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
from migration.actions.waves import begin_wave, hold_wave, plan_wave, release_wave, stop_wave

__all__ = [
    "KNOWN",
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
    "look_again",
    "look_back",
    "plan_wave",
    "recover_forward",
    "release_number",
    "release_wave",
    "renew_profile",
    "spend_reserve",
    "state_onprem_off",
    "stop_wave",
    "switch_way",
    "turn_to_abort",
]
