"""Clients of Graph, an On-Premises instance, a partner's senders and named commands; they raise `migration.errors`."""
