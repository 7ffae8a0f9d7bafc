import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from records.spec import InputKind
from store.database import open_database
from store.home import Home
from store.registry import Registry
from tests.ui.stand_in import REFUSAL, REFUSED, ROW, SAMPLES, StandIn, picture, rows_of
from ui.words import plain

Serve = Callable[[InputKind], StandIn]


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def specs(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(element.proto.spec) for element in app.get("vega_lite_chart")]


def press(app: AppTest) -> AppTest:
    return next(button for button in app.button if button.label == "Ask the model").click().run()


def asked(stand_in: StandIn) -> Any:
    """The only input of the last request."""
    (one,) = json.loads(stand_in.bodies[-1])["inputs"]
    return one


@pytest.mark.parametrize("kind", list(InputKind))
def test_one_click_asks_about_the_servers_own_example(serve: Serve, app: AppTest, kind: InputKind) -> None:
    stand_in = serve(kind)
    app.run()
    assert not app.exception and f"{kind}s:2" in html(app)
    press(app)
    assert not app.exception and not app.error
    assert any(caption.value.startswith(f"{kind}s\\:2 answered in") for caption in app.caption)
    if kind is InputKind.IMAGE:
        assert picture() in stand_in.bodies[-1]
    else:
        assert asked(stand_in) == SAMPLES[kind]


def test_probabilities_are_bars_with_the_answer_first(serve: Serve, app: AppTest) -> None:
    serve(InputKind.TEXT)
    press(app.run())
    assert "<b>red</b><span>probability 90.0 %</span>" in html(app)
    (spec,) = specs(app)
    rows = rows_of(spec)
    assert [(row["label"], row["told"]) for row in rows] == [("red", "90.0 %"), ("green", "7.0 %"), ("blue", "3.0 %")]
    assert "data" not in spec  # at the top it would make Streamlit load pandas


def test_a_number_has_its_name_and_its_usual_error(serve: Serve, app: AppTest) -> None:
    serve(InputKind.TABLE)
    press(app.run())
    assert "<b>1,234.5</b><span>price</span>" in html(app)
    assert any("off by 12.50 on average (95 % interval 11.25 to 13.75)" in caption.value for caption in app.caption)


def test_a_forecast_is_a_curve_with_its_past_and_a_band(serve: Serve, app: AppTest) -> None:
    serve(InputKind.FORECAST)
    press(app.run())
    before, answer = specs(app)
    band, past, bridge, line = answer["layer"][0]["layer"]
    assert band["mark"]["type"] == "area" and len(band["data"]["values"]) == 6
    assert past["data"]["values"][-1]["at"] == "2026-02-21T00:00:00"
    assert line["data"]["values"][0] == {"at": "2026-02-22T00:00:00", "value": 100.0, "low": 91.0, "high": 109.0}
    assert [row["at"] for row in bridge["data"]["values"]] == ["2026-02-21T00:00:00", "2026-02-22T00:00:00"]
    assert len(rows_of(before)) == 48


def test_a_picture_can_be_uploaded(serve: Serve, app: AppTest) -> None:
    stand_in = serve(InputKind.IMAGE)
    app.run()
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(buffer, "PNG")
    app.file_uploader[0].set_value(("black.png", buffer.getvalue(), "image/png"))
    press(app.run())
    assert buffer.getvalue() in stand_in.bodies[-1] and not app.exception


def test_what_is_no_picture_is_sent_all_the_same(serve: Serve, app: AppTest) -> None:
    serve(InputKind.IMAGE)
    app.run()
    app.file_uploader[0].set_value(("broken.png", REFUSED.encode(), "image/png"))
    press(app.run())
    assert "The page cannot show this file" in app.info[0].value
    assert [error.value for error in app.error] == [plain(REFUSAL)]


def test_a_text_is_asked_about_and_a_refusal_is_its_sentence(serve: Serve, app: AppTest) -> None:
    stand_in = serve(InputKind.TEXT)
    app.run()
    app.text_area[0].set_value("An ugly film.")
    press(app.run())
    assert asked(stand_in) == {"text": "An ugly film."}
    app.text_area[0].set_value(f"Please {REFUSED}.")
    press(app.run())
    assert [error.value for error in app.error] == [plain(REFUSAL)] and not app.exception


def test_an_answer_is_not_shown_with_another_input(serve: Serve, app: AppTest) -> None:
    serve(InputKind.TEXT)
    press(app.run())
    assert "probability 90.0 %" in html(app)
    app.text_area[0].set_value("Another text.").run()
    assert "probability 90.0 %" not in html(app)


def test_series_are_pasted_by_step_or_by_channel_or_uploaded(serve: Serve, app: AppTest) -> None:
    stand_in = serve(InputKind.SERIES)
    app.run()
    app.text_area[0].set_value("1,2\n3,nan\n5,6")
    press(app.run())
    assert asked(stand_in) == {"series": [[1.0, 2.0], [3.0, None], [5.0, 6.0]]}
    app.radio[0].set_value("a line for each channel")
    app.text_area[0].set_value("1,2,3\n4,5,6")
    press(app.run())
    assert asked(stand_in) == {"series": [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]}
    app.radio[0].set_value("a line for each step")
    app.file_uploader[0].set_value(("series.csv", b"right,left\n1,2\n3,4\n", "text/csv"))
    press(app.run())
    assert asked(stand_in) == {"series": [[2.0, 1.0], [4.0, 3.0]]}
    assert {row["channel"] for row in rows_of(specs(app)[0])} == {"left", "right"}


def test_wrong_numbers_are_told_and_not_sent(serve: Serve, app: AppTest) -> None:
    stand_in = serve(InputKind.SERIES)
    app.run()
    app.text_area[0].set_value("1,2\n3,x")
    press(app.run())
    assert "which is no number" in app.info[0].value and not stand_in.bodies


def test_a_row_has_a_field_for_each_column(serve: Serve, app: AppTest) -> None:
    stand_in = serve(InputKind.TABLE)
    app.run()
    labels = {widget.label for widget in [*app.number_input, *app.selectbox, *app.date_input, *app.text_input]}
    assert labels >= {"rooms", "distance km", "district", "built", "remarks"}
    app.number_input[0].set_value(7)
    app.selectbox[0].set_value("west")
    press(app.run())
    assert asked(stand_in) == {"row": {**ROW, "rooms": 7, "district": "west"}}
    app.text_input[1].set_value("")
    press(app.run())
    assert asked(stand_in)["row"]["remarks"] is None


def test_a_history_is_uploaded_with_what_is_known_of_the_future(serve: Serve, app: AppTest) -> None:
    stand_in = serve(InputKind.FORECAST)
    app.run()
    csv = b"day;sales;open\n2026-03-01;5;yes\n2026-03-02;;no\n"
    app.file_uploader[0].set_value(("history.csv", csv, "text/csv"))
    app.run()
    app.text_area[0].set_value("day,open\n2026-03-03,yes")
    press(app.run())
    first, second = asked(stand_in)["history"]
    assert first == {"day": "2026-03-01", "sales": 5.0, "open": "yes"} and second["sales"] is None
    assert asked(stand_in)["future"] == [{"day": "2026-03-03", "open": "yes"}]


def test_what_is_served_and_how_good_it_is(serve: Serve, app: AppTest) -> None:
    stand_in = serve(InputKind.TEXT)
    app.run()
    assert "<td>accuracy</td><td class='n'>0.914</td><td class='n'>0.893 to 0.933</td>" in html(app)
    expected = 'curl -H \'Content-Type: application/json\' --data-raw \'{"inputs": [{"text": "A fine film."}]}\''
    assert app.code[0].value == f"{expected} {stand_in.url}/predict"


def test_without_a_server_there_is_one_sentence_and_the_command(home: Home, app: AppTest) -> None:
    app.run()
    app.text_input[0].set_value("http://127.0.0.1:9").run()
    assert not app.exception and len(app.warning) == 1
    assert app.warning[0].value.replace("\\", "").startswith("No server answers at http://127.0.0.1:9")
    assert "There is no model yet" in app.markdown[0].value and "kerasmith run digits" in app.code[0].value
    engine = open_database(home)
    Registry(engine).register("petals", "petals-1", "run", "0" * 64, {})
    engine.dispose()
    app.run()
    assert app.code[0].value == "kerasmith serve petals"


def test_what_is_no_address_is_told(app: AppTest) -> None:
    app.run()
    app.text_input[0].set_value("localhost").run()
    assert "Not the address of a server" in app.warning[0].value.replace("\\", "") and not app.exception
