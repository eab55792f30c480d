import pytest

from emojax.data.errors import DataError


def test_the_message_says_expected_got_and_fix():
    with pytest.raises(ValueError, match=r"^expected 68 rows; got 5\. Make the landmarks again\.$"):
        raise DataError(expected="68 rows", got="5", fix="Make the landmarks again.")
