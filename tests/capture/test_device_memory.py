"""Graphics memory and DMA buffers are read from made ``fdinfo`` files, after the kernel's documentation."""

import os
from pathlib import Path

import pytest

from vmdiff.capture.device_memory import device_memory
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.model.held_memory import DeviceMemory

AMD = """pos:\t0
flags:\t02100002
mnt_id:\t26
drm-driver:\tamdgpu
drm-client-id:\t{client}
drm-pdev:\t0000:0b:00.0
drm-memory-vram:\t300 KiB
drm-resident-vram:\t200 KiB
drm-total-vram:\t400 KiB
drm-memory-gtt:\t8 MiB
drm-engine-gfx:\t13200 ns
"""
OLD = "drm-driver:\tv3d\ndrm-client-id:\t7\ndrm-total-memory:\t4096\n"
BUFFER = "pos:\t0\nino:\t{inode}\nsize:\t1048576\ncount:\t2\nexp_name:\tsystem\nname:\tframe\n"


@pytest.fixture
def folder(tmp_path: Path):
    home = tmp_path / str(os.getpid())
    (home / "fdinfo").mkdir(parents=True)
    (home / "stat").write_text("")

    def made(*texts: str) -> tuple[DeviceMemory, ...]:
        for number, text in enumerate(texts):
            (home / "fdinfo" / str(number)).write_text(text)
        with ProcessFolder(os.getpid(), tmp_path) as opened:
            return device_memory(opened)

    return made


def test_a_client_that_is_open_twice_counts_once(folder) -> None:
    found = folder(AMD.format(client=1), AMD.format(client=1), AMD.format(client=2))

    assert set(found) == {
        DeviceMemory(device="amdgpu", region="vram", bytes=400 << 10),  # resident, where the driver tells it
        DeviceMemory(device="amdgpu", region="gtt", bytes=16 << 20),
    }


def test_where_only_a_total_is_told_it_is_taken(folder) -> None:
    assert folder(OLD) == (DeviceMemory(device="v3d", region="memory", bytes=4096),)


def test_a_dma_buffer_counts_once_by_its_inode(folder) -> None:
    found = folder(BUFFER.format(inode=5), BUFFER.format(inode=5), BUFFER.format(inode=6))

    assert found == (DeviceMemory(device="dma-buf", region="system", bytes=2 << 20),)


def test_other_files_and_strange_amounts_are_none(folder) -> None:
    strange = "drm-driver:\tx\ndrm-client-id:\t1\ndrm-memory-a:\tmany KiB\ndrm-memory-b:\t-4 KiB\n"
    assert folder("pos:\t0\nflags:\t02\n", strange, "") == ()
