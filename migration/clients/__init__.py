"""The far sides: Graph, an On-Premises instance, a partner's senders, named commands. They raise `migration.errors`."""
