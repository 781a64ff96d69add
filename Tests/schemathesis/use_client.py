"""Registers, lists and deregisters with the client that openapi-python-client has made, in the package `client`.

    use_client.py URL [TOKEN]
"""

import sys

from client import AuthenticatedClient, Client
from client.api.default import (
    deregister_service, get_service, heartbeat, list_services, register_service, status)
from client.models import Instance, Problem, Registration


def main(url: str, token: str | None) -> None:
    api = AuthenticatedClient(base_url=url, token=token) if token else Client(base_url=url)
    with api:
        registration = Registration(id="by-client", name="By-Client", ip="10.0.0.1", port=8080, tags=["v1"], ttl=30)
        answer = register_service.sync_detailed(client=api, body=registration)
        assert answer.status_code == 201, answer
        instance = answer.parsed
        assert isinstance(instance, Instance)
        assert (instance.name, instance.port, instance.tags) == ("by-client", 8080, ["v1"]), instance
        assert answer.headers["location"].endswith(f"/{instance.id}")

        listed = list_services.sync(client=api, name="by-client")
        assert [each.id for each in listed.services] == ["by-client"] and listed.next_cursor is None, listed
        assert get_service.sync(id=instance.id, client=api).registered_at == instance.registered_at
        assert heartbeat.sync(id=instance.id, client=api).expires_at > instance.expires_at
        assert status.sync(client=api).ready is True

        assert deregister_service.sync_detailed(id=instance.id, client=api).status_code == 204
        gone = get_service.sync(id=instance.id, client=api)
        assert isinstance(gone, Problem) and gone.status == 404, gone
        assert list_services.sync(client=api, name="by-client").services == []

        bad = register_service.sync(client=api, body=Registration(name="bad_name", ip="10.0.0.1", port=8080))
        assert isinstance(bad, Problem) and [error.field for error in bad.errors] == ["name"], bad
    if token:
        with Client(base_url=url) as nobody:
            answer = list_services.sync_detailed(client=nobody)
            assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer "), answer
    print("the generated client registers, lists and deregisters")


main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
