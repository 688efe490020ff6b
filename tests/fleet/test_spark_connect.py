"""Through Spark Connect questions have the answers that DuckDB has; the server is the one that pyspark brings."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from vmdiff.fleet import example_fleet
from vmdiff.fleet.batch import rows
from vmdiff.fleet.export import Export

pytest.importorskip("duckdb")
pyspark = pytest.importorskip("pyspark")
pytest.importorskip("grpc", reason="pyspark[connect] is not installed")
pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="no java"),
    pytest.mark.xdist_group("fleet"),
]

ROOT = Path(__file__).parents[2]
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The URL of a server that answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
    }
    told = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    command = [submit, "--class", SERVER, "--master", "local[2]", *told, "spark-internal"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as running:
        try:
            assert running.stderr is not None
            seen = []
            for line in running.stderr:
                seen.append(line)
                if "Spark Connect server started" in line:
                    break
            else:
                pytest.fail("".join(seen))
            Thread(target=running.stderr.read, daemon=True).start()
            yield f"sc://127.0.0.1:{port}"
        finally:
            running.kill()


def answer(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "vmdiff", "fleet", "top", folder, "--format", "json", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_a_server_answers_byte_for_byte_alike(server: str, tmp_path: Path) -> None:
    with Export(tmp_path / "out") as export:
        for snapshot in example_fleet.snapshots(4):
            export.add(rows(snapshot))
    told = answer(tmp_path / "out", "--engine", "spark", "--spark-master", server)
    assert '"malloc arena"' in told
    assert told == answer(tmp_path / "out")
