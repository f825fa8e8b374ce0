"""The world that both APIs look at: facts and rules, no HTTP."""
