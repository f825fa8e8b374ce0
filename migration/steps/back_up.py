"""Take the On-Premises backup that `register` may carry, and that keeps profile and official-account status.

Works only while the client is registered and running; each call gives another blob, bound to its password:
https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
It counts as taken when it was sealed, stored in two places, read back, opened and compared; the engine does that.
"""

import base64
import json
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from pydantic import SecretStr

from migration.clients.onprem_reading import Reading
from migration.errors import Transient
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import StepContract
from state.enums import Party, Promise

NO_BACKUP_PAGE = "runbooks/no-backup.md"


class BackUp:
    contract: ClassVar[StepContract] = StepContract(
        name="back_up", promise=Promise.REPEATABLE, longest_call=timedelta(seconds=60), fresh_for=timedelta(minutes=30)
    )

    async def check(self, number: Number) -> None | Blocked:
        if number.onprem is None:
            return Blocked("the number has no On-Premises instance to back up", NO_BACKUP_PAGE)
        reading = await number.onprem.reading()
        if reading.kind is Reading.UNREACHABLE:
            with suppress(Transient):
                await number.onprem.login()  # a password that is refused is mended otherwise than a host that is gone
            # One reading without an answer is no reason to stop the number, or to go on without its backup.
            unreachable = Transient(f"the instance is unreachable: {reading.detail}")
            unreachable.whose_move = Party.OPERATOR
            raise unreachable
        if reading.kind is not Reading.SERVING:
            return Blocked(f"the instance is {reading.kind}: {reading.detail}", NO_BACKUP_PAGE)
        return None

    async def prepare(self, number: Number) -> Draft:
        password = base64.urlsafe_b64encode(number.randomness(24)).decode()
        return Draft(secret={"password": SecretStr(password)})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        return NotDone({"why": "a backup leaves no trace at the instance; taking another is harmless"})

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        assert number.onprem is not None
        password = intent.secret["password"]
        data = await number.onprem.backup(password)
        both = json.dumps({"data": data.get_secret_value(), "password": password.get_secret_value()})
        return Evidence({"characters": len(data.get_secret_value())}, backups={"backup": SecretStr(both)})
