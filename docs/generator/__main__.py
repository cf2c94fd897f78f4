"""`python -m docs.generator`: write all generated regions anew, and say which pages changed."""

from docs.generator.pages import PAGES, rendered


def main() -> None:
    """Write them."""
    for page in PAGES:
        before = page.read_text()
        after = rendered(page)
        if after != before:
            page.write_text(after)
            print(f"written: docs/reference/{page.name}")


main()
