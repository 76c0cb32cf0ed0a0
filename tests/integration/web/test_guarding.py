"""Who is let in, for what, how often: hosts, API keys with their scopes, a bound on starts."""

from tests.integration.web.desk import ORDER, Desk


def test_a_name_that_somebody_leads_here_is_refused(sqlite_desk: Desk) -> None:
    """DNS rebinding: the browser takes our answers for those of the other name's owner."""
    rebound = {"Host": "evil.example:8000"}
    for path in ("/", "/api/workflows", "/api/docs", "/nowhere", "/assets/dashboard.css"):
        answer = sqlite_desk.client.get(path, headers=rebound)
        assert answer.status_code == 421, path
        assert "ORCHESTRATOR_PUBLIC_URL" in answer.text
    assert sqlite_desk.client.post("/api/process-order", json=ORDER, headers=rebound).status_code == 421
    for path in ("/healthz", "/readyz"):
        assert sqlite_desk.client.get(path, headers=rebound).status_code == 200
    assert sqlite_desk.client.get("/api/workflows", headers={"Host": "10.0.0.7:8000"}).status_code == 200


def test_a_page_of_another_site_changes_nothing(sqlite_desk: Desk) -> None:
    """Not even by what a browser sends without asking first."""
    workflow = sqlite_desk.start()
    answer = sqlite_desk.client.post(f"/api/workflows/{workflow}/cancel", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert sqlite_desk.show(workflow)["status"] == "running"
