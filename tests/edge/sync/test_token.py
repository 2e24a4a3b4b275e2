"""The enrolment token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.errors import ConfigError
from skuscan.sync.token import EnrolToken

TOKENS = st.builds(
    EnrolToken,
    st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_-]{16,128}", fullmatch=True),
    st.binary(min_size=32, max_size=32),
)


@given(TOKENS)
def test_a_token_is_read_as_it_was_written(token):
    assert EnrolToken.parse(str(token)) == token


@given(TOKENS)
def test_space_around_a_pasted_token_is_ignored(token):
    assert EnrolToken.parse(f"  {token}\n") == token


@given(st.text())
def test_any_other_text_is_a_clear_error(text):
    with pytest.raises(ConfigError, match="an enrolment token reads"):
        EnrolToken.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        f"sk2.default.{'s' * 24}.{'0' * 64}",
        f"sk1.de/fault.{'s' * 24}.{'0' * 64}",
        f"sk1.default.{'s' * 24}.{'0' * 63}",
        f"sk1.default.{'s' * 24}.{'G' * 64}",
        f"sk1.default.short.{'0' * 64}",
        f"sk1.default.{'s' * 24}.{'0' * 64}.x",
    ],
)
def test_a_token_with_a_wrong_part_is_refused(text):
    with pytest.raises(ConfigError):
        EnrolToken.parse(text)


def test_errors_and_logs_do_not_show_the_secret():
    token = EnrolToken("default", "top-secret-top-secret", bytes(32))
    assert "top-secret" not in repr(token)
    with pytest.raises(ConfigError) as caught:
        EnrolToken.parse(f"{token}x")
    assert "top-secret" not in str(caught.value)
