"""How many calls of `register` and `deregister` Meta takes for a number, and how many of them are ours to make."""

from datetime import timedelta

BUDGET_WINDOW = timedelta(hours=72)
# Ten calls per number in a moving 72 h, failed ones counted; the eleventh blocks the number for 72 h.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/registration
BUDGET_CALLS = 10
BUDGET_RESERVE = 3
