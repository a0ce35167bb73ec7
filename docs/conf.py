"""How the documentation is built: `make docs`. Strict (every warning is an error) and offline."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from from_code import write_pages  # noqa: E402

import calcimeasure  # noqa: E402

project = "calcimeasure"
author = "the calcimeasure founders"
copyright = "the calcimeasure founders"
version = release = calcimeasure.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = False
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
default_role = "code"

html_theme = "furo"
html_title = f"calcimeasure {release}"
html_copy_source = False
html_show_sourcelink = False

write_pages(HERE / "reference")
