"""Doors of SMS gateways: what arrives for numbers of the fleet, with a code in it. An adapter is one small file."""
