import logging
import traceback
from pathlib import Path

import pytest

from records.errors import ConfigError
from serving.guarding.tokens import Tokens, find_tokens, read_tokens

ONE, TWO = "a1b2c3d4e5f6a7b8", "Another-Token.With~Signs/+=="


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_of_tokens_lets_in_who_has_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokens = read_tokens(write(tmp_path / "tokens", f"# for the shop\n{ONE}\n\n  {TWO}  # not a comment\n".replace(
        "  # not a comment", "")))  # fmt: skip
    assert tokens.allow(f"Bearer {ONE}".encode()) and tokens.allow(f"bearer  {TWO} ".encode())
    for wrong in ("", ONE, f"Basic {ONE}", "Bearer ", f"Bearer {ONE[:-1]}", f"Bearer {ONE}x", "Bearer # for the shop"):
        assert not tokens.allow(wrong.encode())
    assert not tokens.allow(b"Bearer \xff\xfe")
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no token in"),
        ("# nothing\n\n", "so nobody could ask. Expected one on a line"),
        (f"{ONE}\nshort-secret", "Token 2 of .* cannot be used. Expected 16 to 512 .* Received: 12 characters"),
        ("secret with spaces in it", "without spaces"),
        ("x" * 513, "Received: 513 characters"),
    ],
)
def test_tokens_that_cannot_be_used_are_refused_without_being_shown(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "tokens", text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_tokens(path)
    assert "secret" not in "".join(traceback.format_exception(caught.value)).replace("short-secret\\nsecret", "")


def test_a_missing_or_binary_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: .*No such file"):
        read_tokens(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="it is not UTF-8 text"):
        read_tokens(tmp_path / "binary")


def test_a_file_that_others_can_read_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read_tokens(write(tmp_path / "tokens", ONE, 0o644))
    assert "can be read or changed by others" in caplog.text and ONE not in caplog.text


def test_the_environment_names_a_file_or_tokens_or_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "tokens", ONE)
    both = {"KERASMITH_TOKENS_FILE": str(path), "KERASMITH_TOKENS": TWO}
    assert find_tokens({}) is None and find_tokens({"KERASMITH_TOKENS": ""}) is None
    for environment, token in (
        ({"KERASMITH_TOKENS_FILE": str(path)}, ONE),
        ({"KERASMITH_TOKENS": f"{ONE}, {TWO}"}, TWO),
    ):
        tokens = find_tokens(environment)
        assert tokens is not None and tokens.allow(f"Bearer {token}".encode())
    with pytest.raises(ConfigError, match="are both set"):
        find_tokens(both)


def test_no_token_can_be_read_from_the_object() -> None:
    tokens = Tokens([ONE, TWO, ONE])
    assert repr(tokens) == "Tokens(2)"
    assert ONE not in str([getattr(tokens, name) for name in Tokens.__slots__])
