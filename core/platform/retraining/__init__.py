"""From feedback to the next version: collect, mix with old data, train, measure, register; and when to do so."""
