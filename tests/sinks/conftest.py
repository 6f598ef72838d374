"""What tests of sinks share: records, certificates."""

from __future__ import annotations

import pytest

from tests.receivers.certificates import Certificates, make_certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates for this run."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
