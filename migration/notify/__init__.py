"""Messages to people: which targets there are, when each is told of what, and how a message is sent."""
