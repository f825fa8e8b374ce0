"""One file a step, named as in the itineraries. Steps know no framework, no database and no HTTP."""
