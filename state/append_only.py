"""The triggers that keep the record append-only, as the newest schema has them; `cutover audit verify` compares.

`tests/schema/test_append_only.py` compares each digest with a database that was just made, and names the right ones.
"""

from collections.abc import Mapping

PROTECTED = ("events", "wave_events", "home_events", "budget_calls", "attempts")

TRIGGERS: Mapping[str, Mapping[str, str]] = {
    "sqlite": {
        "attempts_no_delete": "8370c79257fa73c5",
        "attempts_no_replace": "199db19c83da6f24",
        "attempts_no_update": "78c04b92ca2d7617",
        "budget_calls_no_delete": "891ccaccb4b60b27",
        "budget_calls_no_replace": "ac976668f7c5809e",
        "budget_calls_no_update": "efaef7721807efcf",
        "events_counted": "4b73ebe40d769e23",
        "events_follow": "1609bef6526fab4b",
        "events_no_delete": "f9644b85faeb6794",
        "events_no_replace": "0517ffc19b9af148",
        "events_no_update": "026bc417ce479bd3",
        "home_events_no_delete": "d830a95e77c18f97",
        "home_events_no_replace": "8fb4ec1a6bc31f50",
        "home_events_no_update": "d1fe612b47f5f757",
        "wave_events_no_delete": "66b6b8b5f0c9c425",
        "wave_events_no_replace": "2c69bebacbf55e85",
        "wave_events_no_update": "d79c79351e841b91",
    },
    "postgresql": {
        "attempts_kept": "b2e25f3e0930c5f6",
        "attempts_not_emptied": "127a7fd6112088e4",
        "budget_calls_kept": "6f87196087ad1237",
        "budget_calls_not_emptied": "127a7fd6112088e4",
        "events_counted": "f66238607750446a",
        "events_kept": "5762318e059cc9a4",
        "events_not_emptied": "127a7fd6112088e4",
        "home_events_kept": "5762318e059cc9a4",
        "home_events_not_emptied": "127a7fd6112088e4",
        "wave_events_kept": "5762318e059cc9a4",
        "wave_events_not_emptied": "127a7fd6112088e4",
    },
}
