"""What an entry of ORCHESTRATOR_API_KEYS means."""

import pytest

from orchestrator.api_keys import EVERYTHING, ApiKey, Scope, api_key, found

KEY = "k" * 20


@pytest.mark.parametrize("text", [KEY, f"{KEY}:", f"{KEY}:x", f"{KEY}:READ", f"a:b:{KEY}", f"{KEY}:read+", "A:/+=" * 5])
def test_a_key_without_scopes_may_do_everything_whatever_it_is_made_of(text: str) -> None:
    """No key that was made before there were scopes means anything else now."""
    assert api_key(text) == ApiKey(text, EVERYTHING)


def test_scopes_stand_after_the_last_colon() -> None:
    """One or several; what is before that is the key, colons included."""
    assert api_key(f"{KEY}:start") == ApiKey(KEY, frozenset({Scope.START}))
    assert api_key(f"{KEY}:start+read") == ApiKey(KEY, frozenset({Scope.START, Scope.READ}))
    assert api_key(f"{KEY}:read:start+read+operate") == ApiKey(f"{KEY}:read", EVERYTHING)


@pytest.mark.parametrize("tail", ["reed", "start+reads", "opperate", "strt+read"])
def test_a_misspelt_scope_is_said_without_the_key(tail: str) -> None:
    """It would be a key that may do everything."""
    with pytest.raises(ValueError, match="did you mean") as refused:
        api_key(f"{KEY}:{tail}")
    assert KEY not in str(refused.value)


def test_only_the_whole_key_is_found_and_none_is_shown() -> None:
    """Not with its scopes behind it, and not a part of it."""
    keys = [api_key(f"{KEY}:read"), api_key("other-key-0123456789")]
    assert found(keys, KEY.encode()) == keys[0]
    assert found(keys, f"{KEY}:read".encode()) is None
    assert found(keys, KEY[:-1].encode()) is None
    assert KEY not in repr(keys)
