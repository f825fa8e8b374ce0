"""The command `cutover`: a file per verb."""

from migration.runtime.stop_request import install_in_command

install_in_command()  # the modules that `__main__` imports take seconds, and a signal may come during them
