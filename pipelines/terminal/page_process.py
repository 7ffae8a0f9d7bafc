"""`python -m pipelines.terminal.page_process …` is `streamlit …`, but ends with its parent and asks nobody outside."""

from __future__ import annotations

import os
import sys

from serving.lifeline import PARENT, end_with_parent


def main() -> None:
    """Runs Streamlit's command line with this process's arguments."""
    end_with_parent(int(os.environ.pop(PARENT)))
    from streamlit import net_util
    from streamlit.web.cli import main as streamlit

    # A page of another site that knocks at our socket would make Streamlit ask a server on the internet who we are.
    net_util.get_external_ip = lambda: None
    sys.argv[0] = "streamlit"
    streamlit()


if __name__ == "__main__":
    main()
