"""The far sides: Graph, an On-Premises instance, the partner's senders, named commands. They raise `migration.errors`."""
