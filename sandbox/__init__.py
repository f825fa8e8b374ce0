"""A simulator of both WhatsApp Business APIs, the phone network, consumers and a partner's senders.

It imports nothing of cutover: built from cutover's own code, it would share its mistakes.
"""
