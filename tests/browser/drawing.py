"""Digits drawn with the mouse, as a person does."""

from playwright.sync_api import Page

Point = tuple[float, float]

SIDE = 280  # the pad's own coordinates
SEVEN: list[list[Point]] = [[(80, 70), (130, 66), (196, 64), (168, 120), (140, 176), (122, 228)]]
ONE: list[list[Point]] = [[(140, 50), (139, 120), (138, 225)]]


def draw(page: Page, strokes: list[list[Point]]) -> None:
    """Draw strokes on the pad and wait until the answer is there."""
    for stroke in strokes:
        points = [on_page(page, point) for point in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=5)
        page.mouse.up()


def on_page(page: Page, point: Point) -> Point:
    """A point of the pad in the window's pixels."""
    box = page.locator("drawing-pad > canvas").bounding_box()
    assert box is not None
    return (
        box["x"] + point[0] * box["width"] / SIDE,
        box["y"] + point[1] * box["height"] / SIDE,
    )


def draw_seven(page: Page) -> str:
    """Draw a seven and wait until the address names it; returns the image's id."""
    draw(page, SEVEN)
    return kept(page)


def kept(page: Page) -> str:
    """The id of the drawing once the address names it."""
    page.wait_for_url("**image=*")
    return page.url.partition("image=")[2].partition("&")[0]
