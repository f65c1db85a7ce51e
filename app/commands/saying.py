"""Words on the terminal as they are, whatever names of a user's own are in them."""

from rich.console import Console
from rich.text import Text


def say(console: Console, words: str) -> None:
    """Print words in one line that is never cut nor broken, and can be copied. What looks like
    markup in them is printed, too."""
    console.print(Text(words), soft_wrap=True)
