"""The background process: it hears of moves and has the story told again."""
