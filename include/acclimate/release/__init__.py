"""From a judged adapter to a served, promotable, reversible release."""
