"""The token of an attempt, and who is told that nobody can call back."""

from cryptography.fernet import Fernet

from orchestrator.callbacks import Attempt, Callbacks, Tokens
from orchestrator.reading import read_document
from orchestrator.settings import Settings
from orchestrator.wants import unset_variables

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_a_token_is_good_for_its_attempt_alone() -> None:
    """Another workflow's, step's, attempt's or round's is nobody's."""
    tokens = Tokens([NEW])
    token = tokens.make("w", "pay", Attempt(2, 0))
    assert tokens.read(token, "w", "pay") == Attempt(2, 0)
    assert tokens.read(token, "v", "pay") is None
    assert tokens.read(token, "w", "ship") is None
    for forged in (token.replace("2.0.", "1.0."), token.replace("2.0.", "2.1."), token[:-1], f"{token}A", "", "2.0."):
        assert tokens.read(forged, "w", "pay") is None


def test_after_the_key_was_changed_the_old_tokens_are_good_still() -> None:
    """A service may answer days later; whoever never had a key of ours has none."""
    token = Tokens([OLD]).make("w", "pay", Attempt(1, 0))
    assert Tokens([NEW, OLD]).read(token, "w", "pay") == Attempt(1, 0)
    assert Tokens([NEW]).read(token, "w", "pay") is None


def test_every_address_that_is_told_has_the_token() -> None:
    """A service need not know how ours are made up."""
    told = Callbacks("https://o.example", Tokens([NEW])).told("w", "pay", Attempt(1, 0))
    assert told["failedUrl"] == f"https://o.example/api/orchestrator/failed?token={told['token']}"


def test_a_missing_public_url_is_named_where_a_definition_needs_it() -> None:
    """By validate, doctor, worker and up; not where nobody is called back."""
    step = {"targetUrl": "http://pay.example/"}
    plain = read_document({"type": "plain", "steps": {"a": step}})
    later = read_document({"type": "later", "steps": {"a": {**step, "callback": {"timeout": "1h"}}}})
    assert unset_variables([plain, later], Settings.from_environment({})) == {"ORCHESTRATOR_PUBLIC_URL": ["later"]}
    known = Settings.from_environment({"ORCHESTRATOR_PUBLIC_URL": "https://o.example"})
    assert unset_variables([later], known) == {}
