"""A simulator of both WhatsApp Business APIs, the phone network and a partner's senders.

An independent witness: what moves numbers is proved against it, so it imports nothing of ours.
"""
