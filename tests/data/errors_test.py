import pytest

from emojax.data.errors import DataError


def test_the_message_says_expected_got_and_fix():
    with pytest.raises(ValueError, match=r"^expected 68 rows; got 5\. Make the landmarks again\.$"):
        raise DataError(expected="68 rows", got="5", fix="Make the landmarks again.")


@pytest.mark.parametrize("got", ["an unknown name; did you mean name?", "none."])
def test_a_sentence_that_has_its_end_gets_no_second_one(got):
    error = DataError(expected="it", got=got, fix="Look.")
    assert str(error) == f"expected it; got {got} Look."
