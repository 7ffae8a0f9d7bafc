"""The page: `kerasmith ui` starts it, or `streamlit run ui/app.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui.markup import style

UI = Path(__file__).resolve().parent


def main() -> None:
    """Two pages under one head."""
    st.set_page_config(page_title="Kerasmith", page_icon=str(UI / "icon.svg"), layout="wide")
    folder = UI / "app_pages"
    pages = [
        st.Page(folder / "try_it.py", title="Try a model", icon=":material/play_circle:", url_path="try", default=True),
        st.Page(folder / "runs.py", title="Runs", icon=":material/query_stats:", url_path="runs"),
    ]
    page = st.navigation(pages, position="top")
    style()
    page.run()


if __name__ == "__main__":
    main()
