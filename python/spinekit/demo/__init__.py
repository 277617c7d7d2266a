"""The demo: every capability once, on a page with pictures and tables."""

from spinekit.demo.writing import DemoPage, write_demo

__all__ = ["DemoPage", "write_demo"]
